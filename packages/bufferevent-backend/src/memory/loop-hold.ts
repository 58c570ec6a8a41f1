import type { World } from './world.js';

/**
 * Whether a port keeps the process alive (C16). It does while it is referenced itself, and something of it is under way
 * that counts: pending operations of referenced handles, and completions owed again after a sink threw.
 */
export class LoopHold {
  readonly #world: World;
  #count = 0;
  #referenced = true;
  #holds = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** So many more are under way, or fewer. What was added is taken back by who added it. */
  add(change: number): void {
    this.#count += change;
    this.#update();
  }

  /** Of the port itself. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    this.#update();
  }

  #update(): void {
    const holds = this.#referenced && this.#count > 0;
    if (holds === this.#holds) return;
    this.#holds = holds;
    this.#world.hold(holds);
  }
}
