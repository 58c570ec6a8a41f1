/**
 * Whether somebody keeps the process alive (C16): while it is referenced itself, and something of it is under way that
 * counts, whatever that is. Says so by `hold`, and only when it changes.
 */
export class CountedHold {
  readonly #hold: (on: boolean) => void;
  #count = 0;
  #referenced = true;
  #holds = false;

  constructor(hold: (on: boolean) => void) {
    this.#hold = hold;
  }

  /** So many more are under way, or fewer. What was added is taken back by who added it. */
  add(change: number): void {
    this.#count += change;
    this.#update();
  }

  /** Of the whole, whatever is under way. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    this.#update();
  }

  #update(): void {
    const holds = this.#referenced && this.#count > 0;
    if (holds === this.#holds) return;
    this.#holds = holds;
    this.#hold(holds);
  }
}
