import type { HandlerContext } from './async-context.js';
import { Fifo } from './fifo.js';

/** Something with user callbacks to run. */
export interface CallbackSource {
  /** 0 is the most urgent. */
  readonly priority: number;
  /** Where its callbacks run; `null`: wherever the loop is. */
  readonly context: HandlerContext | null;
  runCallbacks(): void;
}

/** While callbacks are this quick, the clock (which costs as much as a quick callback) is read at growing strides. */
const QUICK_MS = 0.1;
const MAX_STRIDE = 16;

/**
 * The user callbacks that wait for their turn, by priority, and within one in the order in which they were asked for. A
 * turn runs what was waiting when it began, the most urgent first, within a budget of count and time; what is queued
 * meanwhile, or left over, waits for the next turn, so that no callback starves the I/O of others (CB-7).
 *
 * Those that come one after another and belong to the same context, as those of all connections of a listener do, run in
 * it together.
 */
export class DeferredQueue {
  readonly #waiting: readonly Fifo<CallbackSource>[];
  readonly #maxPerTurn: number;
  readonly #maxTurnMs: number;
  readonly #now: () => number;
  #length = 0;
  /** Of the turn that runs: callbacks that it may still run, the level it has come to, and what of that was waiting. */
  #left = 0;
  #level = 0;
  #leftAtLevel = 0;
  #deadline = 0;
  #lookedAt = 0;
  #stride = 1;
  #untilLook = 1;

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
    this.#left = Math.min(this.#length, this.#maxPerTurn);
    this.#level = 0;
    this.#leftAtLevel = this.#waitingAt(0);
    if (this.#left > 1) {
      this.#lookedAt = this.#now();
      this.#deadline = this.#lookedAt + this.#maxTurnMs;
    }
    this.#stride = 1;
    this.#untilLook = 1;
    for (let source = this.#next(); source !== null; source = this.#next()) {
      if (source.context === null) this.#runFrom(source);
      else source.context.run(this.#runFrom, this, source);
    }
  }

  /** Runs `first`, and those after it that belong to the same context. */
  #runFrom(first: CallbackSource): void {
    const { context } = first;
    for (let source: CallbackSource | null = first; source?.context === context; source = this.#next()) {
      (this.#waiting[this.#level] as Fifo<CallbackSource>).shift();
      this.#length--;
      this.#left--;
      this.#leftAtLevel--;
      source.runCallbacks();
      if (--this.#untilLook === 0) this.#look();
    }
  }

  /** Whose turn it is; `null` when the turn is over. */
  #next(): CallbackSource | null {
    if (this.#left === 0) return null;
    while (this.#leftAtLevel === 0) this.#leftAtLevel = this.#waitingAt(++this.#level);
    return this.#waiting[this.#level]?.peek() ?? null;
  }

  /** What waits at a level when its turn comes; what its own callbacks queue there waits for the next turn. */
  #waitingAt(level: number): number {
    return this.#waiting[level]?.length ?? 0;
  }

  #look(): void {
    if (this.#left === 0) return;
    const now = this.#now();
    if (now >= this.#deadline) this.#left = 0;
    this.#stride = now - this.#lookedAt < QUICK_MS ? Math.min(this.#stride * 2, MAX_STRIDE) : 1;
    this.#untilLook = this.#stride;
    this.#lookedAt = now;
  }
}
