/** Items taken from the front before the rest moves up, in a queue that never runs empty. */
const MAX_EMPTY_SLOTS = 1024;

/**
 * First in, first out; filled and emptied every turn. Keeps its memory (setting an array's length would give it back)
 * and lets go of what was taken.
 *
 *      slots  [ – | – | a | b | c | – | … ]
 *                      head        tail
 */
export class Fifo<Item extends object> {
  readonly #slots: (Item | undefined)[] = [];
  #head = 0;
  #tail = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  push(item: Item): void {
    this.#slots[this.#tail++] = item;
  }

  peek(): Item | undefined {
    return this.#head === this.#tail ? undefined : this.#slots[this.#head];
  }

  shift(): Item | undefined {
    if (this.#head === this.#tail) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head++] = undefined;
    if (this.#head === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
    } else if (this.#head > MAX_EMPTY_SLOTS && this.#head > this.length) this.#moveUp();
    return item;
  }

  #moveUp(): void {
    const { length } = this;
    this.#slots.copyWithin(0, this.#head, this.#tail);
    this.#slots.fill(undefined, length, this.#tail);
    this.#head = 0;
    this.#tail = length;
  }
}
