/** What is in a {@link Roster}. */
export interface Listed {
  /** The roster's: where it stands, −1 while it stands nowhere. */
  place: number;
}

/**
 * Whoever is there now, in no order; each in one roster at most.
 *
 * Not a `Set`, because these come and go all the time: V8 makes a new table for a set now and then, and lets the old one
 * point to it. One such table among old garbage keeps alive all tables after it, with all that stood in them, until old
 * objects are collected, which is seldom.
 */
export class Roster<Item extends Listed> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Does nothing for what is there. */
  add(item: Item): void {
    if (item.place < 0) item.place = this.#items.push(item) - 1;
  }

  /** The last one takes its place. Does nothing for what is not there. */
  delete(item: Item): void {
    const { place } = item;
    if (place < 0) return;
    const last = this.#items.pop() as Item;
    if (last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    item.place = -1;
  }

  /** Those that are there now. */
  all(): Item[] {
    return [...this.#items];
  }
}
