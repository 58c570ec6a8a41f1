import { argumentRangeError, argumentTypeError, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import { checkInteger, checkLimit, checkObject } from '../arguments.js';

/** Bytes per tick, and bytes; `Infinity`, the default of the rates, for a direction without a limit. */
export interface TokenBucketOptions {
  readonly readRate?: number;
  /** The most that is saved up while little is read. Default: the rate. */
  readonly readBurst?: number;
  readonly writeRate?: number;
  readonly writeBurst?: number;
  /** Default 1000: rates are bytes per second. */
  readonly tickMs?: number;
}

/**
 * What a limit counts: the bytes on the wire, or those that the user reads and writes. They differ where a layer, such as
 * TLS, lies between.
 */
export type RateLimitCount = 'wire' | 'payload';

export interface RateLimitOptions {
  /** Default `wire`. */
  readonly count?: RateLimitCount;
}

/** The longest tick: what fits into an `int` of milliseconds, and into a timer of Node. */
const MAX_TICK_MS = 2 ** 31 - 1;

const optionNames: OptionNames<TokenBucketOptions> = {
  readRate: true,
  readBurst: true,
  writeRate: true,
  writeBurst: true,
  tickMs: true,
};
const limitNames: OptionNames<RateLimitOptions> = { count: true };

/**
 * How fast bytes may move: immutable, and shared by any number of connections and groups, each of which has levels of
 * its own. Ticks begin at the multiples of `tickMs` on the clock of the base (RL-1).
 */
export class TokenBucketConfig {
  readonly readRate: number;
  readonly readBurst: number;
  readonly writeRate: number;
  readonly writeBurst: number;
  readonly tickMs: number;

  /** @throws RangeError for a rate below 1 or above its burst, for a tick below 1 ms or above 2,147,483,647 ms */
  constructor(options: TokenBucketOptions) {
    checkObject('options', options);
    checkOptionNames('options', options, optionNames);
    const { readRate = Infinity, writeRate = Infinity, tickMs = 1000 } = options;
    const { readBurst = readRate, writeBurst = writeRate } = options;
    checkRate('read', readRate, readBurst);
    checkRate('write', writeRate, writeBurst);
    checkInteger('tickMs', tickMs, 1);
    if (tickMs > MAX_TICK_MS) throw argumentRangeError('tickMs', `at most ${MAX_TICK_MS}`, tickMs);
    this.readRate = readRate;
    this.readBurst = readBurst;
    this.writeRate = writeRate;
    this.writeBurst = writeBurst;
    this.tickMs = tickMs;
    Object.freeze(this);
  }
}

function checkRate(direction: 'read' | 'write', rate: unknown, burst: unknown): void {
  checkLimit(`${direction}Rate`, rate, 1);
  checkLimit(`${direction}Burst`, burst, 1);
  if ((rate as number) > (burst as number)) {
    throw argumentRangeError(`${direction}Burst`, `at least the rate of ${String(rate)}`, burst);
  }
}

/** @internal Throws `TypeError` unless `value` is a config, also one of another copy of this package. */
export function checkConfig(value: unknown): void {
  const { readRate, writeRate, tickMs } = (value ?? {}) as Partial<TokenBucketConfig>;
  if ([readRate, writeRate, tickMs].some((member) => typeof member !== 'number')) {
    throw argumentTypeError('config', 'a TokenBucketConfig', value);
  }
}

/**
 * @internal The bytes that one direction may still move. Refilled when somebody looks, never by a timer:
 *
 *      level   burst ───────────────╮ saved up while nothing moves
 *              rate  ──╮ start      │
 *              0     ──┴────────────┴── at or below: nothing moves until ticks have paid it back (RL-3)
 */
export class TokenBucket {
  #rate: number;
  #burst: number;
  #tickMs: number;
  #level: number;
  /** The tick up to which `#level` is refilled. */
  #tick: number;

  /** Starts with the rate, not with the burst (RL-2). */
  constructor(rate: number, burst: number, tickMs: number, nowMs: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#tickMs = tickMs;
    this.#level = rate;
    this.#tick = Math.floor(nowMs / tickMs);
  }

  /** As of the last refill; negative for a deficit. */
  get level(): number {
    return this.#level;
  }

  /**
   * Adds the rate for every tick that has begun since. A clock that went back adds nothing, and counts from there (RL-4);
   * one that jumped ahead fills the bucket and no more.
   *
   * @returns the number of ticks that have begun
   */
  refill(nowMs: number): number {
    const tick = Math.floor(nowMs / this.#tickMs);
    const elapsed = tick - this.#tick;
    if (elapsed === 0) return 0;
    this.#tick = tick;
    if (elapsed < 0) return 0;
    this.#level = Math.min(this.#level + this.#rate * elapsed, this.#burst);
    return elapsed;
  }

  /** Takes bytes out, also below 0; gives back for a negative number, up to the burst (RL-5). */
  debit(bytes: number): void {
    this.#level = Math.min(this.#level - bytes, this.#burst);
  }

  /** Another speed from now on. What has been saved up is cut to the new burst, never raised. */
  configure(rate: number, burst: number, tickMs: number, nowMs: number): void {
    this.refill(nowMs);
    this.#level = this.#rate === Infinity ? rate : Math.min(this.#level, burst);
    if (rate === Infinity) this.#level = Infinity;
    this.#rate = rate;
    this.#burst = burst;
    this.#tickMs = tickMs;
    this.#tick = Math.floor(nowMs / tickMs);
  }

  /** When a later tick begins that finds at least `level` bytes, if nothing moves until then. */
  timeOf(level: number): number {
    const ticks = Math.max(1, Math.ceil((level - this.#level) / this.#rate));
    return (this.#tick + ticks) * this.#tickMs;
  }
}

/** @internal What the limit counts. Throws for malformed options. */
export function countOf(options: RateLimitOptions): RateLimitCount {
  checkObject('options', options);
  checkOptionNames('options', options, limitNames);
  const { count = 'wire' } = options;
  if (count !== 'wire' && count !== 'payload') throw argumentTypeError('count', "'wire' or 'payload'", count);
  return count;
}
