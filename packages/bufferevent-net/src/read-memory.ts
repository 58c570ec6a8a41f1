/** Room for one read of libuv, or for several small ones. */
const SLAB_BYTES = 65_536;

/** Up to this size bytes get memory of their own, from Node's pool: few bytes that nobody takes do not keep a slab. */
const SMALL_BYTES = 2048;

/** Empty slabs that are kept for later. */
const MAX_FREE_SLABS = 16;

/** Memory that pieces lie in; used again when nobody holds any of them. */
export class ReadSlab {
  readonly memory: Uint8Array = new Uint8Array(SLAB_BYTES);
  /** Bytes from the start that were handed out. */
  used = 0;
  /** Pieces that are parked, and leases that are out. */
  holders = 0;
}

/** Bytes that were received, at `memory[start, end)`. */
export interface Piece {
  readonly memory: Uint8Array;
  start: number;
  readonly end: number;
  /** What the piece holds until it is let go, or `null` for memory of the garbage collector. */
  readonly slab: ReadSlab | null;
}

/** Where the received bytes of one port are kept until their leases are released. */
export class ReadMemory {
  #current: ReadSlab | null = null;
  readonly #free: ReadSlab[] = [];

  /** Copies the first `count` bytes of `source`, at most {@link SLAB_BYTES}. The piece holds its slab. */
  copy(source: Buffer, count: number): Piece {
    if (count <= SMALL_BYTES) {
      const memory = Buffer.allocUnsafe(count);
      source.copy(memory, 0, 0, count);
      return { memory, start: 0, end: count, slab: null };
    }
    const slab = this.#slabFor(count);
    const { memory, used: start } = slab;
    source.copy(memory, start, 0, count);
    slab.used += count;
    slab.holders++;
    return { memory, start, end: slab.used, slab };
  }

  /** One holder more: a piece is divided. */
  hold(slab: ReadSlab): void {
    slab.holders++;
  }

  /** One holder less. */
  release(slab: ReadSlab): void {
    slab.holders--;
    if (slab.holders > 0) return;
    slab.used = 0;
    if (slab !== this.#current && this.#free.length < MAX_FREE_SLABS) this.#free.push(slab);
  }

  #slabFor(count: number): ReadSlab {
    const room = this.#current === null ? 0 : roomOf(this.#current);
    if (this.#current !== null && room >= count) return this.#current;
    const slab = this.#takeFree() ?? new ReadSlab();
    // Whichever has more room afterwards is filled further: else each large read would leave a slab behind in which few bytes lie.
    if (roomOf(slab) - count > room || this.#current === null) this.#current = slab;
    return slab;
  }

  /** Users may have detached the memory of some, which is gone then. */
  #takeFree(): ReadSlab | undefined {
    let slab = this.#free.pop();
    while (slab !== undefined && slab.memory.length === 0) slab = this.#free.pop();
    return slab;
  }
}

function roomOf({ memory, used }: ReadSlab): number {
  return Math.max(0, memory.length - used);
}
