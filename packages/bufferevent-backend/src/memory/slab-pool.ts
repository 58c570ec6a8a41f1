import type { Lease } from '../contract.js';
import { BackendError } from '../errors.js';
import { HandleTable } from '../handles.js';

/** What released receive memory is filled with, so that reading it later is seen. */
export const POISON = 0xdb;

const SLAB_BYTES = 64 * 1024;
const CLASSES = [256, 1024, 4096, 16384, SLAB_BYTES] as const;
/** No block starts at 0, so that a receiver that forgets `start(index)` is wrong from the first byte on. */
const MARGIN = 64;

/** A part of a slab: bytes `[start, start + size)` of `memory`. */
export interface Block {
  readonly memory: Uint8Array;
  readonly start: number;
  readonly size: number;
}

/**
 * Receive memory of one port (C5). Slabs are cut into blocks of a few sizes; a block that comes back is poisoned and
 * given out first, so that somebody who still reads it sees garbage and not yesterday's bytes.
 */
export class SlabPool {
  readonly #free: Block[][] = CLASSES.map(() => []);
  readonly #out = new HandleTable<Block>();

  /** Leases not given back yet. */
  get leases(): number {
    return this.#out.size;
  }

  /** The largest block there is; a recv never yields more. */
  static readonly maxBlock: number = SLAB_BYTES;

  /** The smallest block that holds `bytes`, without a lease yet. */
  take(bytes: number): Block {
    const index = CLASSES.findIndex((size) => size >= bytes);
    const free = this.#free[index] as Block[];
    if (free.length === 0) this.#cut(free, CLASSES[index] as number);
    return free.pop() as Block;
  }

  lease(block: Block): Lease {
    return this.#out.add(block);
  }

  /** Takes a block back and poisons it. Throws `ERR_BACKEND_STALE_LEASE` for a lease that is not out. */
  release(lease: Lease): void {
    const block = typeof lease === 'number' ? this.#out.remove(lease) : undefined;
    if (block === undefined) {
      throw new BackendError('ERR_BACKEND_STALE_LEASE', 'the lease was released before, or never handed out');
    }
    block.memory.fill(POISON, block.start, block.start + block.size);
    (this.#free[CLASSES.indexOf(block.size as (typeof CLASSES)[number])] as Block[]).push(block);
  }

  #cut(free: Block[], size: number): void {
    const memory = new Uint8Array(MARGIN + SLAB_BYTES).fill(POISON);
    for (let start = MARGIN; start + size <= memory.length; start += size) free.push({ memory, start, size });
  }
}
