import { EvbufferError } from './errors.js';

/**
 * The slab pool: power-of-two blocks from 1 KiB to 64 KiB, one stack per size. The block returned last is handed out
 * first, because its bytes are the ones most likely still in the processor's cache.
 *
 * A block belongs to exactly one node at a time and is returned when that node's last byte has left its buffer. Its old
 * bytes stay in it: nothing in this package shows memory outside [start, end) of a node, except a reservation, which
 * clears what it exposes first.
 */
const MIN_SLAB_SHIFT = 10;
const MAX_SLAB_SHIFT = 16;

export const MIN_SLAB_BYTES: number = 1 << MIN_SLAB_SHIFT;
export const MAX_SLAB_BYTES: number = 1 << MAX_SLAB_SHIFT;

/** Most bytes that each size keeps for later; what comes back beyond that goes to the garbage collector. */
const MAX_RETAINED_BYTES = 1 << 19;

const pools: Uint8Array[][] = [];
for (let shift = MIN_SLAB_SHIFT; shift <= MAX_SLAB_SHIFT; shift++) pools.push([]);

/** Which stack serves `bytes`: 0 for up to 1 KiB, 6 for up to 64 KiB. */
function poolIndex(bytes: number): number {
  return bytes <= MIN_SLAB_BYTES ? 0 : 32 - Math.clz32(bytes - 1) - MIN_SLAB_SHIFT;
}

/** A block of at least `bytes` (at most `MAX_SLAB_BYTES`). Its content is whatever its previous user left. */
export function takeSlab(bytes: number): Uint8Array {
  const index = poolIndex(bytes);
  const block = (pools[index] as Uint8Array[]).pop();
  const size = MIN_SLAB_BYTES << index;
  // A block may have been detached by somebody who kept a view of it past its time: it is not used again.
  if (block !== undefined && block.length === size) return block;
  return new Uint8Array(size);
}

export function returnSlab(block: Uint8Array): void {
  const bytes = block.length;
  if (bytes < MIN_SLAB_BYTES) return;
  const pool = pools[poolIndex(bytes)] as Uint8Array[];
  if (pool.length * bytes < MAX_RETAINED_BYTES) pool.push(block);
}

/** Zeroed memory of exactly `bytes` that is not pooled. */
export function allocate(bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new EvbufferError('ERR_EVBUFFER_TOO_LARGE', `cannot allocate ${bytes} contiguous bytes`, { cause });
  }
}

/** Bytes that the pool holds for later. For tests of the bound. */
export function retainedBytes(): number {
  let total = 0;
  for (const [index, pool] of pools.entries()) total += pool.length * (MIN_SLAB_BYTES << index);
  return total;
}

/** Below this many bytes a plain loop beats making a view and calling `set`. */
const LOOP_COPY_BYTES = 48;

/** Copies source[start, end) to target at `at`. Regions of one memory may overlap only for the native path, which callers rely on nowhere. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  const bytes = end - start;
  if (bytes <= LOOP_COPY_BYTES) {
    for (let i = 0; i < bytes; i++) target[at + i] = source[start + i] as number;
  } else {
    target.set(bytes === source.length ? source : source.subarray(start, end), at);
  }
}
