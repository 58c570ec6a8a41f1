/** Something with user callbacks to run. */
export interface CallbackSource {
  runCallbacks(): void;
}

/**
 * The user callbacks that wait for their turn, in the order in which they were asked for. A turn runs what was waiting
 * when it began, within a budget of count and time; what is queued meanwhile, or left over, waits for the next turn,
 * so that no callback starves the I/O of others (CB-7).
 */
export class DeferredQueue {
  #waiting: CallbackSource[] = [];
  /** Index of the first that has not run yet. */
  #head = 0;
  readonly #maxPerTurn: number;
  readonly #maxTurnMs: number;
  readonly #now: () => number;

  constructor(maxPerTurn: number, maxTurnMs: number, now: () => number) {
    this.#maxPerTurn = maxPerTurn;
    this.#maxTurnMs = maxTurnMs;
    this.#now = now;
  }

  get length(): number {
    return this.#waiting.length - this.#head;
  }

  /** Queues a source; the source sees to it that it is queued once. */
  push(source: CallbackSource): void {
    this.#waiting.push(source);
  }

  /** Runs one turn's worth. Sources must not throw. */
  run(): void {
    const end = this.#head + Math.min(this.length, this.#maxPerTurn);
    const deadline = this.#now() + this.#maxTurnMs;
    while (this.#head < end) {
      const source = this.#waiting[this.#head] as CallbackSource;
      this.#head++;
      source.runCallbacks();
      if (this.#now() >= deadline) break;
    }
    if (this.#head === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}
