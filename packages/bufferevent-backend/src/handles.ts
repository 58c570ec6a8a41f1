import type { Handle } from './contract.js';

/*
 *   handle     = generation × 2^slotBits + slot + 1        (at most 53 bits)
 *
 *   values:    [ a | b |   | c | … ]
 *   handles:   [ … | … | … | … | … ]   the handle that is valid, or the next to be given out when the slot is free
 *
 * With the default of 20 bits there are a million slots and 2^32 generations: a slot that is reused a thousand times a
 * second keeps its handles apart for 49 days, and is then retired rather than wrapped (C12).
 */
const MAX_HANDLE = 2 ** 52;

/** Hands out integers that name values, tells stale ones apart, and reuses the slot freed last first. */
export class HandleTable<Value> {
  readonly #values: (Value | undefined)[] = [];
  readonly #handles: Handle[] = [];
  readonly #free: number[] = [];
  readonly #generation: number;
  readonly #slotMask: number;
  #size = 0;

  /** @param slotBits how many values can be held at once: 2^slotBits − 1; at most 30 */
  constructor(slotBits = 20) {
    // A shift, because `2 ** n` is no small integer to V8, nor is what is added to it.
    this.#generation = 1 << slotBits;
    this.#slotMask = this.#generation - 1;
  }

  /** Number of values held. */
  get size(): number {
    return this.#size;
  }

  /** Stores a value under a new handle. Throws `RangeError` when all slots are taken. */
  add(value: Value): Handle {
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#values.length;
      if (slot >= this.#slotMask) throw new RangeError('too many handles');
      this.#handles.push(this.#generation + slot + 1);
      this.#values.push(value);
    } else {
      this.#values[slot] = value;
    }
    this.#size++;
    return this.#handles[slot] as Handle;
  }

  /** The value, or `undefined` when the handle is stale or was never given out. */
  get(handle: Handle): Value | undefined {
    const slot = this.#slotOf(handle);
    return this.#handles[slot] === handle ? this.#values[slot] : undefined;
  }

  /** Frees a handle for ever; its slot goes to the next value. Returns the value, `undefined` when it was stale. */
  remove(handle: Handle): Value | undefined {
    const value = this.get(handle);
    if (value === undefined) return undefined;
    const slot = this.#slotOf(handle);
    this.#values[slot] = undefined;
    this.#size--;
    const next = handle + this.#generation;
    this.#handles[slot] = next;
    if (next < MAX_HANDLE) this.#free.push(slot);
    return value;
  }

  /** Every value held, in slot order. Values may be removed meanwhile. */
  *values(): IterableIterator<Value> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }

  /** The lowest bits, whatever the generation: bit operators keep the lowest 32 of any integer. */
  #slotOf(handle: Handle): number {
    return (handle & this.#slotMask) - 1;
  }
}
