import type { EventBase } from '../event-base.js';
import type { Direction } from '../events.js';
import type { Gate } from '../gate.js';
import type { RateLimitGroup } from './group.js';
import type { SharedBucket, Sharer } from './shared-bucket.js';
import { TickTimer } from './tick-timer.js';
import { type RateLimitCount, TokenBucket, type TokenBucketConfig } from './token-bucket.js';

/** @internal Which bytes are meant: on the wire, of the user, or both where no layer makes a difference. */
export type CountedBytes = RateLimitCount | 'both';

function concerns(count: RateLimitCount, bytes: CountedBytes): boolean {
  return bytes === 'both' || bytes === count;
}

/** @internal One direction of one connection: its own bucket, and its place in a group. */
export class DirectionLimit implements Sharer {
  readonly gate: Gate;
  /** The most that one operation may move, whatever else allows. */
  maxSingle = Infinity;
  /** What its own bucket counts. */
  count: RateLimitCount = 'wire';
  bucket: TokenBucket | null = null;
  #shared: SharedBucket | null = null;
  readonly #base: EventBase;
  /** The allowance may have changed. */
  readonly #wake: () => void;
  readonly #onSettled: () => void;

  constructor(base: EventBase, gate: Gate, wake: () => void, onSettled: () => void) {
    this.#base = base;
    this.gate = gate;
    this.#wake = wake;
    this.#onSettled = onSettled;
  }

  /** Bytes left in its own bucket, negative for a deficit; `Infinity` without one. */
  get level(): number {
    this.refresh();
    return this.bucket?.level ?? Infinity;
  }

  /** What one operation may move now, at least 0. */
  get most(): number {
    const share = this.#shared?.share(this, this.#base.now()) ?? Infinity;
    return Math.max(0, Math.min(this.maxSingle, this.level, share));
  }

  /**
   * What may be asked for now by who does ask. Where the group has nothing left, asking is what suspends: members that
   * want nothing stay as they are.
   */
  allowance(bytes: CountedBytes): number {
    let most = bytes === 'payload' ? Infinity : this.maxSingle;
    if (concerns(this.count, bytes)) most = Math.min(most, this.level);
    if (most > 0 && this.#shared !== null && concerns(this.#shared.count, bytes)) {
      most = Math.min(most, this.#shared.ask(this, this.#base.now()));
    }
    return Math.max(0, most);
  }

  /** Bytes have moved: charges for them. */
  moved(count: number, bytes: CountedBytes): void {
    if (concerns(this.count, bytes)) this.debit(count);
    if (this.#shared !== null && concerns(this.#shared.count, bytes)) {
      this.#shared.moved(this, count, this.#base.now());
    }
  }

  /** Takes bytes from its own bucket, or puts them back. */
  debit(count: number): void {
    if (this.bucket === null) return;
    this.bucket.refill(this.#base.now());
    this.bucket.debit(count);
    this.settle();
  }

  /** Brings the level to this time. */
  refresh(): void {
    if (this.bucket !== null && this.bucket.refill(this.#base.now()) > 0) this.settle();
  }

  /** The level was changed: a deficit suspends, until it is gone. */
  settle(): void {
    const exhausted = this.bucket !== null && this.bucket.level <= 0;
    const suspended = this.gate.isSuspendedFor('rate');
    if (exhausted !== suspended) {
      if (exhausted) this.gate.suspend('rate');
      else this.gate.resume('rate');
      this.#wake();
    }
    if (exhausted || suspended) this.#onSettled();
  }

  /** When it can go on; `Infinity` while its own bucket does not hold it back. */
  get dueAt(): number {
    return this.bucket !== null && this.gate.isSuspendedFor('rate') ? this.bucket.timeOf(1) : Infinity;
  }

  share(shared: SharedBucket | null): void {
    const previous = this.#shared;
    this.#shared = shared;
    previous?.leave(this);
    shared?.join(this);
  }

  parked(): void {
    this.gate.suspend('group-rate');
    this.#wake();
  }

  unparked(): void {
    this.gate.resume('group-rate');
    this.#wake();
  }

  shareChanged(): void {
    this.#wake();
  }
}

/**
 * @internal What a connection has once it is limited: both directions, the group, and one timer, which is set only while
 * its own bucket suspends a direction.
 */
export class RateLimits {
  readonly read: DirectionLimit;
  readonly write: DirectionLimit;
  config: TokenBucketConfig | null = null;
  /** Whether the process is kept alive until it may go on. */
  holding = false;
  #group: RateLimitGroup | null = null;
  readonly #base: EventBase;
  readonly #timer: TickTimer;

  constructor(base: EventBase, readGate: Gate, writeGate: Gate, wake: () => void) {
    this.#base = base;
    const onSettled = () => this.#timer.follow();
    this.read = new DirectionLimit(base, readGate, wake, onSettled);
    this.write = new DirectionLimit(base, writeGate, wake, onSettled);
    this.#timer = new TickTimer(
      base,
      () => Math.min(this.read.dueAt, this.write.dueAt),
      () => {
        this.read.refresh();
        this.write.refresh();
      },
    );
  }

  side(direction: Direction): DirectionLimit {
    return direction === 'read' ? this.read : this.write;
  }

  get group(): RateLimitGroup | null {
    return this.#group;
  }

  configure(config: TokenBucketConfig | null, count: RateLimitCount): void {
    this.read.count = count;
    this.write.count = count;
    if (config === this.config) return;
    this.config = config;
    this.#configure(this.read, config, config?.readRate ?? Infinity, config?.readBurst ?? Infinity);
    this.#configure(this.write, config, config?.writeRate ?? Infinity, config?.writeBurst ?? Infinity);
    this.#timer.follow();
  }

  #configure(side: DirectionLimit, config: TokenBucketConfig | null, rate: number, burst: number): void {
    if (config === null) side.bucket = null;
    else if (side.bucket === null) side.bucket = new TokenBucket(rate, burst, config.tickMs, this.#base.now());
    else side.bucket.configure(rate, burst, config.tickMs, this.#base.now());
    side.settle();
    side.shareChanged();
  }

  /** For the group: it keeps what its members share. */
  enter(group: RateLimitGroup, read: SharedBucket, write: SharedBucket): void {
    this.#group = group;
    this.read.share(read);
    this.write.share(write);
  }

  leaveGroup(): void {
    const group = this.#group;
    if (group === null) return;
    this.#group = null;
    this.read.share(null);
    this.write.share(null);
    group.memberLeft();
  }

  free(): void {
    this.leaveGroup();
    this.#timer.cancel();
  }
}
