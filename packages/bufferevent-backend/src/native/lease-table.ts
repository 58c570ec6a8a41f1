import type { Lease } from '../contract.js';

/*
 *   lease = page × 2^30 + generation × 2^16 + slot        slot of 16 bits, generation of 14
 *
 * Leases come and go with every message. As long as no more than a page of them is out they are small integers, which
 * cost the garbage collector nothing. Generations wrap: a lease given back twice is told apart from a newer one unless
 * its slot was used a multiple of 16,384 times in between.
 */
const SLOT_BITS = 16;
const GENERATION = 2 ** SLOT_BITS;
const PAGE = 2 ** 30;
const FIRST_CAPACITY = 256;

/** Which leases are out, and of which slab each is. The slot freed last is used first. */
export class LeaseTable {
  /** By slot: the lease that is out without its page, or the one before; 0 when there was none. */
  #leases: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** By slot: the slab, −1 while the slot is free. */
  #slabs: Int32Array = new Int32Array(FIRST_CAPACITY);
  #free: Int32Array = new Int32Array(FIRST_CAPACITY);
  #freeCount = 0;
  #slots = 0;

  /** Leases that are out. */
  get size(): number {
    return this.#slots - this.#freeCount;
  }

  add(slab: number): Lease {
    const index = this.#freeCount > 0 ? (this.#free[--this.#freeCount] as number) : this.#newSlot();
    const generation = ((this.#leases[index] as number) + GENERATION) & (PAGE - GENERATION);
    const lease = generation | (index & (GENERATION - 1));
    this.#leases[index] = lease;
    this.#slabs[index] = slab;
    return index < GENERATION ? lease : Math.floor(index / GENERATION) * PAGE + lease;
  }

  /** The slab of a lease that was out until now; −1 when it was not. */
  remove(lease: Lease): number {
    const index =
      lease < PAGE ? lease & (GENERATION - 1) : Math.floor(lease / PAGE) * GENERATION + (lease & (GENERATION - 1));
    if (!(index < this.#slots) || this.#leases[index] !== (lease < PAGE ? lease : lease % PAGE)) return -1;
    const slab = this.#slabs[index] as number;
    if (slab < 0) return -1;
    this.#slabs[index] = -1;
    this.#free[this.#freeCount++] = index;
    return slab;
  }

  #newSlot(): number {
    if (this.#slots === this.#leases.length) {
      this.#leases = grown(this.#leases);
      this.#slabs = grown(this.#slabs);
      this.#free = grown(this.#free);
    }
    return this.#slots++;
  }
}

function grown(words: Int32Array): Int32Array {
  const larger = new Int32Array(2 * words.length);
  larger.set(words);
  return larger;
}
