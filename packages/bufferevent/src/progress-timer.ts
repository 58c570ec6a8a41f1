import type { EventBase } from './event-base.js';
import type { TimeoutName } from './events.js';
import type { TimeoutHost } from './timeouts.js';
import type { QueuedTimer } from './timer-queue.js';

/**
 * Measures the time since the last progress of one activity. Progress only stores a deadline; the place in the queue of
 * the base is looked at again when its time comes, so that a busy connection never touches the queue.
 *
 *     start ──── touch ── touch ───────────────────────── deadline = last touch + duration
 *       └─ queued ─────────────┴─ due, sees the deadline ─┴─ queued again for the rest, due: expired
 */
export class ProgressTimer implements QueuedTimer {
  readonly #base: EventBase;
  readonly #host: TimeoutHost;
  readonly #name: TimeoutName;
  #durationMs: number;
  deadline = 0;
  #running = false;
  dueAt = 0;
  place = -1;
  order = 0;

  constructor(base: EventBase, durationMs: number, host: TimeoutHost, name: TimeoutName) {
    this.#base = base;
    this.#durationMs = durationMs;
    this.#host = host;
    this.#name = name;
  }

  /** A new duration counts from now (TO-2). */
  setDuration(durationMs: number): void {
    this.#durationMs = durationMs;
    this.#base.timers.remove(this);
    if (!this.#running) return;
    this.touch();
    this.#base.timers.add(this, this.deadline);
  }

  /** Runs from now on; does nothing when it is running already. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.touch();
    if (this.place < 0) this.#base.timers.add(this, this.deadline);
  }

  /** Progress: counts from now again. Whole milliseconds take no memory of their own. Without effect while stopped. */
  touch(): void {
    if (this.#running) this.deadline = Math.ceil(this.#base.now() + this.#durationMs);
  }

  /** Stops counting. It may still come due once, to no effect. */
  stop(): void {
    this.#running = false;
    this.deadline = 0;
  }

  /** Stops for good and leaves the queue. */
  cancel(): void {
    this.#running = false;
    this.#base.timers.remove(this);
  }

  /** For the queue: its time has come. */
  onDue(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#host.onTimeout(this.#name);
  }
}
