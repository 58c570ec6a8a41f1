import type { Chain } from './chain.js';
import { hooks } from './debug-hooks.js';
import { makeReadable } from './file-node.js';
import { type ChainNode, checkReadable, viewOf } from './node.js';
import { type EvbufferIndex, foundBase, foundNode } from './place.js';

/** What `peek` shows. */
export interface PeekOptions {
  /** Most bytes in total. Default: all. */
  readonly length?: number;
  /** Position of the first byte. Default 0. */
  readonly start?: EvbufferIndex;
  /** Most views. Default: no limit. */
  readonly maxSegments?: number;
}

/** Where a run of bytes stands in memory: memory[start, end). Objects of this shape are filled by `peekInto`. */
export interface EvbufferSegment {
  memory: Uint8Array;
  start: number;
  end: number;
}

/** A view to hand out, of [start, end) of a node's memory. */
export function show(chain: Chain, node: ChainNode, start: number, end: number): Uint8Array {
  const view = viewOf(node, start, end);
  return hooks === null ? view : hooks.shown(chain, view);
}

/** Views of up to `length` bytes from position `start` on (found before, see `foundNode`), the last one cut to fit. */
export function peekViews(chain: Chain, start: number, length: number, maxSegments: number): Uint8Array[] {
  const views: Uint8Array[] = [];
  let skip = start - foundBase;
  let left = length;
  for (let node = foundNode; node !== null && left > 0 && views.length < maxSegments; node = node.next) {
    if (skip < node.end - node.start && makeReadable(chain, node, skip)) {
      const from = node.start + skip;
      const to = Math.min(node.end, from + left);
      views.push(show(chain, node, from, to));
      left -= to - from;
      skip = 0;
    } else {
      skip -= node.end - node.start;
    }
  }
  return views;
}

/** The pieces at the front, up to the first byte that is in a file, into objects that the caller keeps; returns how many were filled. */
export function peekSegments(chain: Chain, target: EvbufferSegment[], maxBytes: number, maxSegments: number): number {
  let left = maxBytes;
  let filled = 0;
  for (let node = chain.head; node !== null && left > 0 && filled < maxSegments; node = node.next) {
    if (node.extent !== null) break;
    checkReadable(node);
    const { memory, start } = node;
    const end = Math.min(node.end, start + left);
    target[filled] ??= { memory, start, end };
    const segment = target[filled] as EvbufferSegment;
    segment.memory = memory;
    segment.start = start;
    segment.end = end;
    left -= end - start;
    filled++;
  }
  return filled;
}
