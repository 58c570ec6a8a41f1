import type { Chain } from './chain.js';
import { describeNodes } from './describe.js';
import { chainOf, type Evbuffer } from './evbuffer.js';
import { type ChainNode, FILE, FREE, OWNED, SHARED, SLAB } from './node.js';

function fail(chain: Chain, why: string): never {
  const parts = [
    `broken Evbuffer: ${why}`,
    `  length ${chain.length}, pinned nodes ${chain.pinnedNodes}${chain.pinned ? ', pinned' : ''}`,
    `  chain: ${describeNodes(chain.head, 32) || '(empty)'}`,
    `  spare: ${describeNodes(chain.spare) || '(none)'}`,
    `  limbo: ${describeNodes(chain.limbo) || '(none)'}`,
  ];
  throw new Error(parts.join('\n'));
}

/** Memory that its user detached or may shrink: the next use of its bytes reports it (ERR_EVBUFFER_DETACHED), not we. */
function canVanish(memory: Uint8Array): boolean {
  return memory.byteLength === 0 || (memory.buffer as { readonly resizable?: boolean }).resizable === true;
}

function checkNode(chain: Chain, node: ChainNode, seen: Set<ChainNode>, writable: Set<ArrayBufferLike>): void {
  if (seen.has(node)) fail(chain, 'a node is linked twice');
  seen.add(node);
  if (node.ownership === FREE) fail(chain, 'a released node is still linked');
  const ours = node.ownership === SLAB || node.ownership === OWNED;
  if (node.writable !== ours) fail(chain, 'only memory of the buffer itself is writable');
  if (ours && node.memory.length > 0) {
    if (writable.has(node.memory.buffer)) fail(chain, 'two nodes write the same memory');
    writable.add(node.memory.buffer);
  }
  if ((node.ownership === SHARED) !== (node.carrier !== null))
    fail(chain, 'a shared node needs a carrier, no other has one');
  if (node.carrier !== null && node.carrier.holders < 1) fail(chain, 'a carrier without holders');
  if ((node.ownership === FILE) !== (node.extent !== null))
    fail(chain, 'a node of a file needs an extent, no other has one');
  if (node.start < 0 || node.start > node.end) fail(chain, 'a node ends before it starts');
  if (node.end > node.memory.byteLength && !canVanish(node.memory)) fail(chain, 'a node reaches beyond its memory');
}

/**
 * Checks every structural invariant of a buffer and throws an `Error` with a picture of its chain when one is broken.
 * Changes nothing; takes time in proportion to the number of pieces. For tests.
 */
export function validate(buffer: Evbuffer): void {
  const chain = chainOf(buffer);
  const seen = new Set<ChainNode>();
  const writable = new Set<ArrayBufferLike>();
  let length = 0;
  let pinnedNodes = 0;
  let last: ChainNode | null = null;
  for (let node = chain.head; node !== null; node = node.next) {
    checkNode(chain, node, seen, writable);
    if (node.start === node.end) fail(chain, 'an empty node in the chain');
    if (node.pinnedFrom >= 0) pinnedNodes++;
    if (node.ownership === FILE && !chain.files) fail(chain, 'a node of a file is not known of');
    length += node.end - node.start;
    last = node;
  }
  if (chain.tail !== last) fail(chain, 'the tail is not the last node');
  if (last === null && chain.files) fail(chain, 'an empty buffer has no files');
  if (chain.length !== length) fail(chain, `the nodes hold ${length} bytes`);
  if (chain.pinnedNodes !== pinnedNodes) fail(chain, `${pinnedNodes} nodes are pinned`);
  if (!chain.pinned && (pinnedNodes > 0 || chain.limbo !== null)) fail(chain, 'pinned nodes without a pin');
  for (let node = chain.spare; node !== null; node = node.next) {
    checkNode(chain, node, seen, writable);
    if (node.end !== 0 || !node.writable || node.pinnedFrom >= 0)
      fail(chain, 'a spare node must be empty, writable and not pinned');
  }
  for (let node = chain.limbo; node !== null; node = node.next) {
    checkNode(chain, node, seen, writable);
    if (node.pinnedFrom < 0) fail(chain, 'a drained node that is not pinned was kept');
  }
}
