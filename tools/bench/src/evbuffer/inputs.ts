import { Buffer } from 'node:buffer';

/** The same bytes for every candidate, as Buffers: that is what sockets deliver, and what bl wants. */
export const message: Buffer = Buffer.alloc(64, 'm');
export const piece: Buffer = Buffer.alloc(1024, 'p');

/** How many bytes stay queued in the works that are not done on an empty buffer. */
export const QUEUED_BYTES = 1024;

/** Characters of a line; its terminator, one LF, makes it 40 bytes. Styles that allow a CR have to look for one. */
export const LINE_CHARACTERS = 39;
const LINES_CHUNK_BYTES = 65536;

/** Lines without an end, in chunks of 64 KiB whose borders fall inside lines: the fifth chunk ends where a line does. */
export function lineChunks(): Buffer[] {
  const line = `${'The quick brown fox jumps over the dog. '.slice(0, LINE_CHARACTERS)}\n`;
  const bytes = Buffer.alloc(5 * LINES_CHUNK_BYTES, line, 'latin1');
  return chunksOf(bytes, LINES_CHUNK_BYTES);
}

export const NEEDLE = 'Needle';
const SEARCHED_BYTES = 2 ** 20;
const SEARCH_CHUNK_BYTES = 16384;

/**
 * `absent`: the needle's first byte occurs nowhere before it, which is what a search that looks for that byte likes
 * best; `text`: all printable characters at random, so that it occurs every 95 bytes.
 */
export type SearchedContent = 'absent' | 'text';

/** 1 MiB, the last bytes of which are the needle. */
export function searchedBytes(content: SearchedContent): Buffer {
  const bytes = Buffer.alloc(SEARCHED_BYTES);
  let state = 0x9e3779b9;
  for (let i = 0; i < bytes.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const random = state >>> 8;
    bytes[i] = content === 'text' ? 0x20 + (random % 95) : 0x61 + (random % 26);
  }
  const at = bytes.indexOf(NEEDLE, 0, 'latin1');
  if (at >= 0) throw new Error(`the text holds the needle at ${at}`);
  bytes.write(NEEDLE, bytes.length - NEEDLE.length, 'latin1');
  return bytes;
}

export const FOUND_AT: number = SEARCHED_BYTES - NEEDLE.length;

export function searchChunks(content: SearchedContent): Buffer[] {
  return chunksOf(searchedBytes(content), SEARCH_CHUNK_BYTES);
}

function chunksOf(bytes: Buffer, chunkBytes: number): Buffer[] {
  return Array.from({ length: bytes.length / chunkBytes }, (_, index) =>
    bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  );
}
