import type { Timer } from '../clock.js';
import type { EventBase } from '../event-base.js';

/** @internal Runs a step in a turn of its own at the tick that something waits for; set only while something does. */
export class TickTimer {
  readonly #base: EventBase;
  readonly #dueAt: () => number;
  readonly #step: () => void;
  #timer: Timer | null = null;
  #setFor = Infinity;

  /** @param dueAt the time to run at, `Infinity` for never */
  constructor(base: EventBase, dueAt: () => number, step: () => void) {
    this.#base = base;
    this.#dueAt = dueAt;
    this.#step = step;
  }

  /** What is waited for has changed. A tick that turned out to be later is seen when the timer fires. */
  follow(): void {
    const dueAt = this.#dueAt();
    if (dueAt === Infinity) {
      this.cancel();
      return;
    }
    if (this.#timer !== null && this.#setFor <= dueAt) return;
    this.#timer?.cancel();
    this.#setFor = dueAt;
    this.#timer = this.#base.clock.setTimer(this.#onTimer, Math.max(0, dueAt - this.#base.clock.now()));
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.#base.inTurn(this.#onTurn);
  };

  readonly #onTurn = (): void => {
    this.#step();
    this.follow();
  };
}
