import type { Timer } from './clock.js';
import type { EventBase } from './event-base.js';

/**
 * Measures the time since the last progress of one activity. Progress only stores a deadline; the timer behind it is
 * moved when it fires, so that a busy connection never touches the timer queue.
 *
 *     start ──── touch ── touch ───────────────────────── deadline = last touch + duration
 *       └─ timer set ──────────┴─ fires, sees the deadline ┴─ set again for the rest, fires: expired
 */
export class ProgressTimer {
  readonly #base: EventBase;
  readonly #onExpire: () => void;
  #durationMs: number;
  #deadline = 0;
  #running = false;
  #timer: Timer | null = null;

  constructor(base: EventBase, durationMs: number, onExpire: () => void) {
    this.#base = base;
    this.#durationMs = durationMs;
    this.#onExpire = onExpire;
  }

  /** A new duration counts from now (TO-2). */
  setDuration(durationMs: number): void {
    this.#durationMs = durationMs;
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#running) {
      this.touch();
      this.#arm(durationMs);
    }
  }

  /** Runs from now on; does nothing when it is running already. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.touch();
    if (this.#timer === null) this.#arm(this.#durationMs);
  }

  /** Progress: counts from now again. */
  touch(): void {
    this.#deadline = this.#base.now() + this.#durationMs;
  }

  /** Stops counting. The timer behind it may still fire once, to no effect. */
  stop(): void {
    this.#running = false;
  }

  /** Stops for good and lets go of the timer. */
  cancel(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#base.clock.setTimer(this.#onTimer, delayMs);
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    if (!this.#running) return;
    const restMs = this.#deadline - this.#base.clock.now();
    if (restMs > 0) {
      this.#arm(restMs);
      return;
    }
    this.#running = false;
    this.#base.inTurn(this.#onExpire);
  };
}
