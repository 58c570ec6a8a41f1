/** Of a timer that is set for the sake of the loop alone. */
const INTERVAL_MS = 2 ** 31 - 1;

/**
 * Keeps the process alive while somebody waits for nothing but time, with no operation in flight that would (C16). By
 * itself, because clocks are injected, and the timers of the system's one keep nobody.
 */
export class ProcessHold {
  #waits = 0;
  #referenced = true;
  #interval: NodeJS.Timeout | null = null;

  /** So many more wait, or fewer. What was added is taken back by who added it. */
  add(change: number): void {
    this.#waits += change;
    this.#follow();
  }

  setReferenced(on: boolean): void {
    this.#referenced = on;
    this.#follow();
  }

  #follow(): void {
    const holds = this.#referenced && this.#waits > 0;
    if (holds === (this.#interval !== null)) return;
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = holds ? setInterval(nothing, INTERVAL_MS) : null;
  }
}

function nothing(): void {}
