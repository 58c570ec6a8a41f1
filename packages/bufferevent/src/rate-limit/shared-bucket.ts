import type { RateLimitCount, TokenBucket } from './token-bucket.js';

/** @internal One direction of a member of a group. */
export interface Sharer {
  /** Stop asking. */
  parked(): void;
  /** Ask again. */
  unparked(): void;
  /** What it has asked for may be too much now: compare. */
  shareChanged(): void;
}

/**
 * @internal One direction of a group: a bucket, and the members that move bytes. The group's level is divided by those
 * only, so that members at rest take nothing from the others; and they cost nothing, for they stand in no list:
 *
 *      at rest ── moves bytes ──► movers ── no bytes for one whole tick ──► at rest
 *                                  │  ▲
 *           asks, nothing is left  ▼  │ first come, first served, when a tick has brought enough
 *                                 waiting
 *
 * Bytes are charged when they have moved. A receive in flight therefore holds none, and may bring some when the group has
 * none left: then the level is below 0 and later ticks pay for it. That stays small, since a member at rest asks for an
 * equal part among *all* members only, and is made to do so again when it has come to rest.
 */
export class SharedBucket {
  readonly count: RateLimitCount;
  readonly #bucket: TokenBucket;
  /** Moved bytes in this tick. Nobody is in two of the three sets. */
  #movers: Set<Sharer> = new Set();
  /** Moved bytes in the tick before. */
  #lastMovers: Set<Sharer> = new Set();
  /** In the order in which they have come. */
  readonly #waiting: Set<Sharer> = new Set();
  /** Nothing is left: until there is enough for somebody, who asks has to wait. */
  #exhausted = false;
  #members = 0;
  #minShare = 1;
  readonly #onWaiting: () => void;
  /** Bytes moved by members. */
  total = 0;

  /** @param onWaiting called when `dueAt` may have become earlier, or `Infinity` */
  constructor(bucket: TokenBucket, count: RateLimitCount, onWaiting: () => void) {
    this.#bucket = bucket;
    this.count = count;
    this.#onWaiting = onWaiting;
  }

  /** Bytes left, negative for a deficit. */
  level(nowMs: number): number {
    this.#refill(nowMs);
    return this.#bucket.level;
  }

  /** When somebody who waits may be able to go on. */
  get dueAt(): number {
    return this.#waiting.size === 0 ? Infinity : this.#bucket.timeOf(this.#minShare);
  }

  join(sharer: Sharer): void {
    this.#members += 1;
    sharer.shareChanged();
  }

  leave(sharer: Sharer): void {
    this.#members -= 1;
    this.#movers.delete(sharer);
    this.#lastMovers.delete(sharer);
    if (this.#waiting.delete(sharer)) {
      sharer.unparked();
      this.#onWaiting();
    } else sharer.shareChanged();
  }

  /** What this member could ask for. */
  share(sharer: Sharer, nowMs: number): number {
    this.#refill(nowMs);
    if (this.#exhausted || this.#waiting.has(sharer)) return 0;
    const moves = this.#movers.has(sharer) || this.#lastMovers.has(sharer);
    return this.#part(moves ? this.#active() : this.#members);
  }

  /** What this member may ask for; with 0 it is parked until it may ask again. */
  ask(sharer: Sharer, nowMs: number): number {
    const share = this.share(sharer, nowMs);
    if (share === 0 && !this.#waiting.has(sharer)) {
      this.#movers.delete(sharer);
      this.#lastMovers.delete(sharer);
      this.#waiting.add(sharer);
      sharer.parked();
      this.#onWaiting();
    }
    return share;
  }

  /** A member has moved bytes. */
  moved(sharer: Sharer, bytes: number, nowMs: number): void {
    this.#refill(nowMs);
    this.total += bytes;
    this.#bucket.debit(bytes);
    if (!this.#movers.has(sharer) && !this.#waiting.has(sharer)) {
      this.#lastMovers.delete(sharer);
      this.#movers.add(sharer);
    }
    this.#settle();
  }

  /** Takes bytes out, or puts some back, that no member has moved. */
  debit(bytes: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#bucket.debit(bytes);
    this.#settle();
    this.#onWaiting();
  }

  /** To be followed by {@link setMinShare}. */
  configure(rate: number, burst: number, tickMs: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#bucket.configure(rate, burst, tickMs, nowMs);
  }

  setMinShare(minShare: number): void {
    this.#minShare = minShare;
    this.#settle();
    this.#onWaiting();
  }

  /** Lets members go on that can. */
  tick(nowMs: number): void {
    this.#refill(nowMs);
  }

  /** Those among whom the level is divided. */
  #active(): number {
    return this.#movers.size + this.#lastMovers.size + this.#waiting.size;
  }

  #part(sharers: number): number {
    return Math.max(Math.floor(this.#bucket.level / sharers), this.#minShare);
  }

  #refill(nowMs: number): void {
    const elapsed = this.#bucket.refill(nowMs);
    if (elapsed === 0) return;
    const rested = this.#lastMovers;
    this.#lastMovers = this.#movers;
    this.#movers = rested;
    for (const sharer of rested) sharer.shareChanged();
    rested.clear();
    if (elapsed > 1) {
      for (const sharer of this.#lastMovers) sharer.shareChanged();
      this.#lastMovers.clear();
    }
    if (this.#bucket.level <= 0 || (this.#exhausted && this.#bucket.level < this.#minShare)) return;
    this.#exhausted = false;
    this.#serveWaiting();
  }

  /** The level was changed by other than time. */
  #settle(): void {
    if (this.#bucket.level <= 0) {
      if (this.#exhausted) return;
      this.#exhausted = true;
      for (const sharer of this.#movers) sharer.shareChanged();
      for (const sharer of this.#lastMovers) sharer.shareChanged();
    } else if (this.#exhausted && this.#bucket.level >= this.#minShare) {
      this.#exhausted = false;
      this.#serveWaiting();
    }
  }

  /** As many as the level is enough for; the others are the first of the next tick. */
  #serveWaiting(): void {
    if (this.#waiting.size === 0) return;
    const share = this.#part(this.#active());
    let left = this.#bucket.level;
    for (const sharer of this.#waiting) {
      if (left <= 0) break;
      left -= share;
      this.#waiting.delete(sharer);
      this.#movers.add(sharer);
      sharer.unparked();
    }
    this.#onWaiting();
  }
}
