import { Fifo } from './fifo.js';

/** Something with user callbacks to run. */
export interface CallbackSource {
  /** 0 is the most urgent. */
  readonly priority: number;
  runCallbacks(): void;
}

/** While callbacks are this quick, the clock (which costs as much as a quick callback) is read at growing strides. */
const QUICK_MS = 0.1;
const MAX_STRIDE = 16;

/**
 * The user callbacks that wait for their turn, by priority, and within one in the order in which they were asked for. A
 * turn runs what was waiting when it began, the most urgent first, within a budget of count and time; what is queued
 * meanwhile, or left over, waits for the next turn, so that no callback starves the I/O of others (CB-7).
 */
export class DeferredQueue {
  readonly #waiting: readonly Fifo<CallbackSource>[];
  readonly #maxPerTurn: number;
  readonly #maxTurnMs: number;
  readonly #now: () => number;
  #length = 0;

  constructor(priorities: number, maxPerTurn: number, maxTurnMs: number, now: () => number) {
    this.#waiting = Array.from({ length: priorities }, () => new Fifo<CallbackSource>());
    this.#maxPerTurn = maxPerTurn;
    this.#maxTurnMs = maxTurnMs;
    this.#now = now;
  }

  get length(): number {
    return this.#length;
  }

  /** Queues a source; the source sees to it that it is queued once. */
  push(source: CallbackSource): void {
    (this.#waiting[source.priority] as Fifo<CallbackSource>).push(source);
    this.#length++;
  }

  /** Runs one turn's worth. Sources must not throw. */
  run(): void {
    let count = Math.min(this.#length, this.#maxPerTurn);
    if (count === 0) return;
    let lookedAt = this.#now();
    const deadline = lookedAt + this.#maxTurnMs;
    let stride = 1;
    let level = 0;
    let left = this.#waitingAt(level);
    while (count > 0) {
      for (let untilLook = Math.min(stride, count); untilLook > 0; untilLook--, count--) {
        while (left === 0) left = this.#waitingAt(++level);
        left--;
        this.#length--;
        this.#waiting[level]?.shift()?.runCallbacks();
      }
      const now = this.#now();
      if (now >= deadline) return;
      stride = now - lookedAt < QUICK_MS ? Math.min(stride * 2, MAX_STRIDE) : 1;
      lookedAt = now;
    }
  }

  /** What waits at a level when its turn comes; what its own callbacks queue there waits for the next turn. */
  #waitingAt(level: number): number {
    return this.#waiting[level]?.length ?? 0;
  }
}
