import type { Chain } from './chain.js';
import { checkAttached, viewOf } from './node.js';

/** What `peek` shows. */
export interface PeekOptions {
  /** Most bytes in total. Default: all. */
  readonly length?: number;
  /** Position of the first byte. Default 0. */
  readonly start?: number;
  /** Most views. Default: no limit. */
  readonly maxSegments?: number;
}

/** Where a run of bytes stands in memory: memory[start, end). Objects of this shape are filled by `peekInto`. */
export interface EvbufferSegment {
  memory: Uint8Array;
  start: number;
  end: number;
}

/** Views of up to `length` bytes from position `start` on, the last one cut to fit. */
export function peekViews(chain: Chain, start: number, length: number, maxSegments: number): Uint8Array[] {
  const views: Uint8Array[] = [];
  let skip = start;
  let left = length;
  for (let node = chain.head; node !== null && left > 0 && views.length < maxSegments; node = node.next) {
    const size = node.end - node.start;
    if (skip >= size) {
      skip -= size;
      continue;
    }
    checkAttached(node);
    const from = node.start + skip;
    const to = Math.min(node.end, from + left);
    views.push(viewOf(node, from, to));
    left -= to - from;
    skip = 0;
  }
  return views;
}

/** The same from the front, into objects that the caller keeps; returns how many were filled. */
export function peekSegments(chain: Chain, target: EvbufferSegment[], maxBytes: number, maxSegments: number): number {
  let left = maxBytes;
  let filled = 0;
  for (let node = chain.head; node !== null && left > 0 && filled < maxSegments; node = node.next) {
    checkAttached(node);
    const { memory, start } = node;
    const end = Math.min(node.end, start + left);
    const segment = target[filled];
    if (segment === undefined) {
      target[filled] = { memory, start, end };
    } else {
      segment.memory = memory;
      segment.start = start;
      segment.end = end;
    }
    left -= end - start;
    filled++;
  }
  return filled;
}
