import { EvbufferError } from './errors.js';

/**
 * Sizes of memory: powers of two from 1 KiB to 64 KiB are pooled (by the nodes that hold them, see node.ts), larger
 * pieces are allocated to measure.
 */
const MIN_SLAB_SHIFT = 10;
const MAX_SLAB_SHIFT = 16;

export const MIN_SLAB_BYTES: number = 1 << MIN_SLAB_SHIFT;
export const MAX_SLAB_BYTES: number = 1 << MAX_SLAB_SHIFT;

/** Most bytes that each size keeps for later; what comes back beyond that goes to the garbage collector. */
export const MAX_RETAINED_BYTES: number = 1 << 19;

/** How many sizes are pooled: `MIN_SLAB_BYTES << index` is that of an index. */
export const SIZE_CLASSES: number = MAX_SLAB_SHIFT - MIN_SLAB_SHIFT + 1;

/** Index of the smallest pooled size of at least `bytes` (1 to `MAX_SLAB_BYTES`). */
export function sizeClass(bytes: number): number {
  return 32 - MIN_SLAB_SHIFT - Math.clz32((bytes - 1) | (MIN_SLAB_BYTES - 1));
}

/** Zeroed memory of exactly `bytes`. */
export function allocate(bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw tooLarge(bytes, cause);
  }
}

/**
 * Whether memory still reaches to `end` (at least 1): what is not ours can be transferred away or shrunk. Asked of its last
 * byte, since V8 of Node 20 and 22 gets `length` wrong: optimised code that has met an array over a resizable
 * `ArrayBuffer` takes detached ordinary ones to be as long as they were. `byteLength` is right, and costs 25 ns there. Our
 * own memory is never resizable: where no other comes by, `length` does.
 */
export function reaches(memory: Uint8Array, end: number): boolean {
  return memory[end - 1] !== undefined;
}

/** How many bytes a user's memory has, 0 when it was detached; see `reaches`, which is spelled out here to be inlined with this. */
export function bytesIn(memory: Uint8Array): number {
  const bytes = memory.length;
  return bytes === 0 || memory[bytes - 1] !== undefined ? bytes : 0;
}

/** More than the engine allows in one piece, of memory or of text. */
export function tooLarge(bytes: number, cause: unknown): EvbufferError {
  return new EvbufferError('ERR_EVBUFFER_TOO_LARGE', `cannot allocate ${bytes} contiguous bytes`, { cause });
}

/** Taken off the prototype once: V8 does not optimise the search for a method there, and it costs more than 64 bytes do. */
const setBytes = Uint8Array.prototype.set;

/** Up to this many bytes a plain loop beats calling `set`, */
const LOOP_COPY_BYTES = 8;
/** and up to this many making a view for it first. */
const LOOP_COPY_PART_BYTES = 48;

/** Copies source[start, end) to target at `at`. Regions of one memory may overlap only for the native path, which callers rely on nowhere. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  const bytes = end - start;
  const whole = bytes === source.length;
  if (bytes <= (whole ? LOOP_COPY_BYTES : LOOP_COPY_PART_BYTES)) {
    for (let i = 0; i < bytes; i++) target[at + i] = source[start + i] as number;
  } else {
    setBytes.call(target, whole ? source : source.subarray(start, end), at);
  }
}
