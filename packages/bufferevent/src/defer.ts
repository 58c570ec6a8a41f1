import { Fifo } from './fifo.js';

/** Something with user callbacks to run. */
export interface CallbackSource {
  runCallbacks(): void;
}

/** While callbacks are this quick, the clock (which costs as much as a quick callback) is read at growing strides. */
const QUICK_MS = 0.1;
const MAX_STRIDE = 16;

/**
 * The user callbacks that wait for their turn, in the order in which they were asked for. A turn runs what was waiting
 * when it began, within a budget of count and time; what is queued meanwhile, or left over, waits for the next turn,
 * so that no callback starves the I/O of others (CB-7).
 */
export class DeferredQueue {
  readonly #waiting = new Fifo<CallbackSource>();
  readonly #maxPerTurn: number;
  readonly #maxTurnMs: number;
  readonly #now: () => number;

  constructor(maxPerTurn: number, maxTurnMs: number, now: () => number) {
    this.#maxPerTurn = maxPerTurn;
    this.#maxTurnMs = maxTurnMs;
    this.#now = now;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Queues a source; the source sees to it that it is queued once. */
  push(source: CallbackSource): void {
    this.#waiting.push(source);
  }

  /** Runs one turn's worth. Sources must not throw. */
  run(): void {
    let count = Math.min(this.length, this.#maxPerTurn);
    if (count === 0) return;
    let lookedAt = this.#now();
    const deadline = lookedAt + this.#maxTurnMs;
    let stride = 1;
    while (count > 0) {
      let untilLook = Math.min(stride, count);
      count -= untilLook;
      for (; untilLook > 0; untilLook--) this.#waiting.shift()?.runCallbacks();
      const now = this.#now();
      if (now >= deadline) return;
      stride = now - lookedAt < QUICK_MS ? Math.min(stride * 2, MAX_STRIDE) : 1;
      lookedAt = now;
    }
  }
}
