import { argumentTypeError } from 'bufferevent-backend';
import { checkInteger } from '../arguments.js';
import type { Bufferevent } from '../bufferevent.js';
import { checkBase, type EventBase } from '../event-base.js';
import { SharedBucket } from './shared-bucket.js';
import { TickTimer } from './tick-timer.js';
import { checkConfig, countOf, type RateLimitOptions, TokenBucket, type TokenBucketConfig } from './token-bucket.js';

/** Bytes moved by the members of a group. */
export interface RateLimitTotals {
  readonly read: number;
  readonly written: number;
}

/** Smaller pieces cost more than they bring. */
const DEFAULT_MIN_SHARE = 64;

/**
 * One speed for many connections together. What is left is divided among the members that move bytes: those at rest take
 * nothing away from the others, and cost nothing. Every byte of a member counts for the group, whether or not the member
 * has a limit of its own; the smaller allowance wins (RL-6, RL-7).
 *
 * A group holds nothing that has to be given back: a timer is set only while a member waits, and a bufferevent that is
 * freed leaves by itself.
 */
export class RateLimitGroup {
  readonly base: EventBase;
  #config: TokenBucketConfig;
  #minShare: number = DEFAULT_MIN_SHARE;
  #size = 0;
  readonly #read: SharedBucket;
  readonly #write: SharedBucket;
  /** One for all members, set only while one waits. */
  readonly #timer: TickTimer;

  constructor(base: EventBase, config: TokenBucketConfig, options: RateLimitOptions = {}) {
    checkBase(base);
    checkConfig(config);
    const count = countOf(options);
    this.base = base;
    this.#config = config;
    const { readRate, readBurst, writeRate, writeBurst, tickMs } = config;
    const now = base.now();
    const onWaiting = () => this.#timer.follow();
    this.#read = new SharedBucket(new TokenBucket(readRate, readBurst, tickMs, now), count, onWaiting);
    this.#write = new SharedBucket(new TokenBucket(writeRate, writeBurst, tickMs, now), count, onWaiting);
    this.#timer = new TickTimer(
      base,
      () => Math.min(this.#read.dueAt, this.#write.dueAt),
      () => {
        this.#read.tick(base.now());
        this.#write.tick(base.now());
      },
    );
    this.#shareOut();
  }

  get config(): TokenBucketConfig {
    return this.#config;
  }

  /** Another speed from now on. What is saved up is cut to the new bursts, never raised; the same config does nothing. */
  setConfig(config: TokenBucketConfig): void {
    checkConfig(config);
    if (config === this.#config) return;
    this.#config = config;
    const { readRate, readBurst, writeRate, writeBurst, tickMs } = config;
    const now = this.base.now();
    this.#read.configure(readRate, readBurst, tickMs, now);
    this.#write.configure(writeRate, writeBurst, tickMs, now);
    this.#shareOut();
  }

  /**
   * The least that a member is given at a time, in bytes; members wait until there is so much. Default 64. In effect it
   * is never above the rate of either direction.
   */
  get minShare(): number {
    return this.#minShare;
  }

  set minShare(bytes: number) {
    checkInteger('minShare', bytes, 1);
    this.#minShare = bytes;
    this.#shareOut();
  }

  /** The number of members. */
  get size(): number {
    return this.#size;
  }

  /**
   * Makes a bufferevent of the same base a member; it leaves the group that it was in. In a group that has nothing left,
   * it waits with the others (RL-9).
   *
   * @throws BuffereventError `ERR_BUFFEREVENT_FREED`
   */
  add(bev: Bufferevent): void {
    if (typeof bev?.limited !== 'function' || bev.base !== this.base) {
      throw argumentTypeError('bev', "a Bufferevent of the group's base", bev);
    }
    const limits = bev.limited();
    if (limits.group === this) return;
    limits.leaveGroup();
    this.#size += 1;
    limits.enter(this, this.#read, this.#write);
  }

  /** Lets a member go on without the group (RL-9); does nothing for others. */
  remove(bev: Bufferevent): void {
    if (bev.rateLimitGroup === this) bev.limited().leaveGroup();
  }

  /** Bytes that the members may still receive in this tick; negative for a deficit, `Infinity` without a limit. */
  get readLimit(): number {
    return this.#read.level(this.base.now());
  }

  get writeLimit(): number {
    return this.#write.level(this.base.now());
  }

  /** Charges bytes that no member has moved; a negative number gives some back, up to the burst (RL-5). */
  debitRead(bytes: number): void {
    checkInteger('bytes', bytes, Number.MIN_SAFE_INTEGER);
    this.#read.debit(bytes, this.base.now());
  }

  debitWrite(bytes: number): void {
    checkInteger('bytes', bytes, Number.MIN_SAFE_INTEGER);
    this.#write.debit(bytes, this.base.now());
  }

  /** Bytes moved by members since the group was made or {@link resetTotals} was called. */
  get totals(): RateLimitTotals {
    return { read: this.#read.total, written: this.#write.total };
  }

  resetTotals(): void {
    this.#read.total = 0;
    this.#write.total = 0;
  }

  /** @internal */
  memberLeft(): void {
    this.#size -= 1;
  }

  #shareOut(): void {
    const { readRate, writeRate } = this.#config;
    const minShare = Math.min(this.#minShare, readRate, writeRate);
    this.#read.setMinShare(minShare);
    this.#write.setMinShare(minShare);
  }
}
