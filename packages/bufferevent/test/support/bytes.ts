import type { Evbuffer } from 'bufferevent';

/** Bytes that differ from their neighbours near and far, so that a lost, doubled or swapped piece shows. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761) >>> 0;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

export function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('latin1');
}

export function same(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

export const KiB = 1024;
export const MiB = 1024 * 1024;

/** A copy of what a buffer holds; the buffer keeps it. */
export function contents(buffer: Evbuffer): Buffer {
  const copy = Buffer.alloc(buffer.length);
  buffer.copyOut(copy);
  return copy;
}
