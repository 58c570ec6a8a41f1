import type { Clock, Timer } from '../clock.js';

interface ManualTimer extends Timer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until it is told to go on: for `new EventBase({ clock })`. Deferred turns still run by
 * themselves, in the next turn of the real loop.
 */
export class ManualClock implements Clock {
  #now: number;
  readonly #timers: Set<ManualTimer> = new Set();

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer: ManualTimer = {
      dueAt: this.#now + Math.max(0, delayMs),
      callback,
      cancel: () => void this.#timers.delete(timer),
    };
    this.#timers.add(timer);
    return timer;
  }

  defer(callback: () => void): void {
    setImmediate(callback);
  }

  /** Timers that are set. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** When the next timer is due, on the scale of `now()`; `Infinity` when none is set. */
  get nextTimerAt(): number {
    return this.#next()?.dueAt ?? Infinity;
  }

  /** Lets time pass: runs every timer that is due on the way, in order, each at its own time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let next = this.#next(); next !== null && next.dueAt <= until; next = this.#next()) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.dueAt);
      next.callback();
    }
    this.#now = until;
  }

  /** The timer that is due first; of several, the one that was set first. */
  #next(): ManualTimer | null {
    let next: ManualTimer | null = null;
    for (const timer of this.#timers) if (next === null || timer.dueAt < next.dueAt) next = timer;
    return next;
  }
}
