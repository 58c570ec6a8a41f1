import { type Chain, checkReadableFront } from './chain.js';
import type { ChainNode } from './node.js';

/**
 * A pin keeps memory as it is while somebody outside reads it, for example a send in flight:
 *
 *      pinned                pinned            not pinned
 *   ┌───┬────────┬───┐     ┌─────────┐     ┌─────────┐
 *   │ a │ bytes  │ b │ ──► │ bytes   │ ──► │ bytes   │       a: may be prepended to, b: may be appended to
 *   └───┴────────┴───┘     └─────────┘     └─────────┘
 *
 * A pinned node that is drained leaves the chain for `limbo`, with its memory, until the pin ends.
 */

/** Pins the nodes that hold the first `bytes` bytes; throws before it pins any when memory of them is gone. */
export function pinFront(chain: Chain, bytes: number): void {
  checkReadableFront(chain.head, bytes);
  chain.pinned = true;
  let left = bytes;
  for (let node = chain.head; node !== null && left > 0; node = node.next) {
    node.pinnedFrom = node.start;
    chain.pinnedNodes++;
    left -= node.end - node.start;
  }
}

/** Ends the pin and returns the nodes drained meanwhile, for `releaseNodes`. */
export function unpinAll(chain: Chain): ChainNode | null {
  chain.pinned = false;
  for (let node = chain.head; node !== null && chain.pinnedNodes > 0; node = node.next) {
    if (node.pinnedFrom < 0) continue;
    node.pinnedFrom = -1;
    chain.pinnedNodes--;
  }
  const drained = chain.limbo;
  chain.limbo = null;
  for (let node = drained; node !== null; node = node.next) node.pinnedFrom = -1;
  return drained;
}
