import { type Chain, cut, releaseNodes } from './chain.js';
import { pinned } from './errors.js';
import { makeReadable } from './file-node.js';
import { copyBytes } from './memory.js';
import { type ChainNode, exchange, writableNode } from './node.js';

/**
 * Writes bytes over those at `index`, which lie in or behind `node`, before which `base` bytes come. Memory that is not
 * ours alone is not written: the bytes get a node of their own, others keep what they see.
 *
 *      node                              node      copy   rest
 *   ┌───────────────────────┐          ┌───────┐ ┌─────┐ ┌──────┐
 *   │ shared or foreign     │   ──►    │       │─│ new │─│      │
 *   └───────────────────────┘          └───────┘ └─────┘ └──────┘
 *
 * Throws before it changes any byte: ERR_EVBUFFER_PINNED, ERR_EVBUFFER_TOO_LARGE, and as `makeReadable` does. May run
 * user code (release callbacks) at the end, whose exception comes when all is written.
 */
export function overwrite(chain: Chain, node: ChainNode | null, base: number, index: number, bytes: Uint8Array): void {
  const places: { node: ChainNode; skip: number; size: number; fresh: ChainNode | null }[] = [];
  for (let done = 0; done < bytes.length; ) {
    const current = node as ChainNode;
    const skip = index + done - base;
    if (skip < current.end - current.start && makeReadable(chain, current, skip)) {
      if (current.pinnedFrom >= 0) throw pinned('pinned bytes cannot be overwritten');
      const size = Math.min(current.end - current.start - skip, bytes.length - done);
      places.push({ node: current, skip, size, fresh: null });
      done += size;
    }
    base += current.end - current.start;
    node = current.next;
  }
  // All before the first change: an allocation can fail. What was allocated until then is left to the garbage collector.
  for (const place of places) if (!place.node.writable) place.fresh = writableNode(place.size);
  chain.rewrites = (chain.rewrites + 1) | 0;
  let at = 0;
  let replaced: ChainNode | null = null;
  for (const { node: place, skip, size, fresh } of places) {
    if (fresh === null) {
      copyBytes(bytes, at, at + size, place.memory, place.start + skip);
    } else {
      const copy = ownCopy(chain, place, skip, size);
      copyBytes(bytes, at, at + size, fresh.memory, 0);
      fresh.end = size;
      exchange(copy, fresh);
      fresh.next = replaced;
      replaced = fresh;
    }
    at += size;
  }
  releaseNodes(replaced);
}

/** Cuts a node so that `size` bytes of it, from `skip` on, have a node of their own. */
function ownCopy(chain: Chain, node: ChainNode, skip: number, size: number): ChainNode {
  let own = node;
  if (skip > 0) own = cut(chain, node, skip);
  if (size < own.end - own.start) cut(chain, own, size);
  return own;
}
