import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const PIECE_BYTES = 16 * 1024 * 1024;
/** More than anything that is looked for. */
const OVERLAP_BYTES = 4096;
/** More than a heap of ours: address space that a sanitizer has reserved. */
const RESERVED_BYTES = 2 ** 28;

/** How often bytes, as text, are in what a process of ours can write to, its heap above all. Of Linux. */
export function countInMemory(pid: number, wanted: RegExp, text: 'latin1' | 'hex' = 'latin1'): number {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const piece = Buffer.alloc(PIECE_BYTES);
  let count = 0;
  try {
    for (const [, from, to] of readFileSync(`/proc/${pid}/maps`, 'latin1').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
      const start = Number.parseInt(from as string, 16);
      const end = Number.parseInt(to as string, 16);
      if (end - start >= RESERVED_BYTES) continue;
      for (let at = start; at < end; at += PIECE_BYTES - OVERLAP_BYTES) {
        const bytes = readSome(memory, piece.subarray(0, Math.min(PIECE_BYTES, end - at)), at);
        count += piece.toString(text, 0, bytes).match(wanted)?.length ?? 0;
      }
    }
  } finally {
    closeSync(memory);
  }
  return count;
}

/** @returns 0 for what the kernel keeps to itself */
function readSome(memory: number, into: Uint8Array, position: number): number {
  try {
    return readSync(memory, into, 0, into.length, position);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return 0;
    throw error;
  }
}
