import type { Handle } from './contract.js';

/*
 *   handle   = generation × 2^20 + slot + 1        (at most 53 bits)
 *
 *   slots:     [ value | value | free | value | … ]
 *   generation:[   1   |   7   |   3  |   1   | … ]   bumped when a slot is freed
 *
 * 2^20 slots and 2^32 generations: a slot that is reused a thousand times a second keeps its handles apart for 49 days
 * per slot, and is then retired rather than wrapped (C12).
 */
const SLOT_BITS_FACTOR = 2 ** 20;
const MAX_GENERATION = 2 ** 32;

/** Hands out integers that name values, tells stale ones apart, and reuses the slot freed last first. */
export class HandleTable<Value> {
  readonly #values: (Value | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  #size = 0;

  /** Number of values held. */
  get size(): number {
    return this.#size;
  }

  /** Stores a value under a new handle. Throws `RangeError` when 2^20 values are held already. */
  add(value: Value): Handle {
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#values.length;
      if (slot >= SLOT_BITS_FACTOR - 1) throw new RangeError('too many handles');
      this.#generations.push(1);
      this.#values.push(value);
    } else {
      this.#values[slot] = value;
    }
    this.#size++;
    return (this.#generations[slot] as number) * SLOT_BITS_FACTOR + slot + 1;
  }

  /** The value, or `undefined` when the handle is stale or was never given out. */
  get(handle: Handle): Value | undefined {
    const slot = (handle % SLOT_BITS_FACTOR) - 1;
    if (this.#generations[slot] !== Math.floor(handle / SLOT_BITS_FACTOR)) return undefined;
    return this.#values[slot];
  }

  /** Frees a handle for ever; its slot goes to the next value. Returns the value, `undefined` when it was stale. */
  remove(handle: Handle): Value | undefined {
    const value = this.get(handle);
    if (value === undefined) return undefined;
    const slot = (handle % SLOT_BITS_FACTOR) - 1;
    this.#values[slot] = undefined;
    this.#size--;
    const generation = (this.#generations[slot] as number) + 1;
    this.#generations[slot] = generation;
    if (generation < MAX_GENERATION) this.#free.push(slot);
    return value;
  }

  /** Every value held, in slot order. Values may be removed meanwhile. */
  *values(): IterableIterator<Value> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }
}
