import { ProcessHold } from 'bufferevent-backend';

/**
 * Keeps the process alive while somebody waits for nothing but time, with no operation in flight that would. Not by the
 * clock, which is injected, and whose timers keep nobody.
 */
export class WaitingHold {
  readonly #process = new ProcessHold();
  #waits = 0;
  #referenced = true;

  /** So many more wait, or fewer. What was added is taken back by who added it. */
  add(change: number): void {
    this.#waits += change;
    this.#follow();
  }

  setReferenced(on: boolean): void {
    this.#referenced = on;
    this.#follow();
  }

  dispose(): void {
    this.#process.dispose();
  }

  #follow(): void {
    this.#process.set(this.#referenced && this.#waits > 0);
  }
}
