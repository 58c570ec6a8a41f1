/** The longest delay a timer takes; what it would do then is nothing. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Keeps the process (or worker) alive while held (C16), by one timer for all that is waited for: to reference sockets and
 * timers one by one would cost a call per operation.
 */
export class ProcessHold {
  #timer: NodeJS.Timeout | null = null;
  #held = false;

  get held(): boolean {
    return this.#held;
  }

  set(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    if (!held) this.#timer?.unref();
    else if (this.#timer === null) this.#timer = setInterval(nothing, LONGEST_MS);
    else this.#timer.ref();
  }

  dispose(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#held = false;
  }
}

function nothing(): void {}
