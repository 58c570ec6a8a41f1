import { BackendError, type Lease } from 'bufferevent-backend';

/*
 * lease = life × 2^20 + slot. `#lives[slot]` holds the lease that is out, or minus the one that the slot gives out next.
 * The memory itself belongs to the garbage collector: all that must be known of a lease is whether it is out.
 */
const SLOT_MASK = 2 ** 20 - 1;
const LIFE = 2 ** 20;

/** Which leases are out (C5). No object and no closure per lease. */
export class LeaseTable {
  readonly #lives: number[] = [];
  readonly #free: number[] = [];
  #size = 0;

  /** Number of leases that are out. */
  get size(): number {
    return this.#size;
  }

  take(): Lease {
    this.#size++;
    const slot = this.#free.pop();
    if (slot === undefined) {
      if (this.#lives.length > SLOT_MASK) throw new RangeError('too many leases');
      return this.#lives.push(LIFE + this.#lives.length) + LIFE - 1;
    }
    const lease = -(this.#lives[slot] as number);
    this.#lives[slot] = lease;
    return lease;
  }

  release(lease: Lease): void {
    const slot = lease & SLOT_MASK;
    if (lease <= 0 || this.#lives[slot] !== lease) {
      throw new BackendError('ERR_BACKEND_STALE_LEASE', `lease ${lease} is not out`);
    }
    this.#lives[slot] = -(lease + LIFE);
    this.#free.push(slot);
    this.#size--;
  }
}
