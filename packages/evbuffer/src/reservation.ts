import { type Chain, dropSpares, growthFor, linkBack, takeSpare } from './chain.js';
import { hooks } from './debug-hooks.js';
import { type ChainNode, realign, roomOf, viewOf, writableNode } from './node.js';

/** Realigning copies at most this many bytes, and only when they fill less than half of the memory (api-evbuffer §1). */
const MAX_REALIGN_BYTES = 2048;

/** Tries to have `bytes` contiguous bytes of room in the tail, shifting its bytes to the start when that is cheap. */
function tailHasRoom(chain: Chain, bytes: number): boolean {
  const tail = chain.tail;
  if (roomOf(tail) >= bytes) return true;
  if (!tail?.writable || tail.end > tail.memory.length) return false;
  const size = tail.end - tail.start;
  const cheap = tail.pinnedFrom < 0 && size <= MAX_REALIGN_BYTES && size < tail.memory.length / 2;
  if (!cheap || tail.memory.length - size < bytes) return false;
  realign(tail);
  return true;
}

/** Replaces the spare nodes by one of at least `bytes`. The new one is allocated first: a failure changes nothing. */
function replaceSpares(chain: Chain, bytes: number): void {
  const node = writableNode(growthFor(chain, bytes));
  dropSpares(chain);
  chain.spare = node;
}

/** The nodes of which a reservation of `bytes` in at most `maxSegments` pieces consists, in order (api-evbuffer row 32). */
export function reserveNodes(chain: Chain, bytes: number, maxSegments: number): ChainNode[] {
  if (maxSegments === 1) {
    const atLeast = Math.max(1, bytes);
    if (tailHasRoom(chain, atLeast)) return [chain.tail as ChainNode];
    if (chain.spare === null || chain.spare.memory.length < atLeast) replaceSpares(chain, atLeast);
    return [chain.spare as ChainNode];
  }
  const nodes: ChainNode[] = [];
  if (bytes === 0) return nodes;
  let left = bytes;
  const room = roomOf(chain.tail);
  if (room > 0) {
    nodes.push(chain.tail as ChainNode);
    left -= room;
  }
  const inTail = nodes.length;
  const missing = left;
  let last: ChainNode | null = null;
  for (let node = chain.spare; node !== null && left > 0; node = node.next) {
    nodes.push(node);
    left -= node.memory.length;
    last = node;
  }
  if (nodes.length + Number(left > 0) > maxSegments || (left > 0 && last === null)) {
    // Too many pieces, or none yet: everything beyond the tail becomes one.
    nodes.length = inTail;
    replaceSpares(chain, missing);
    nodes.push(chain.spare as ChainNode);
  } else if (left > 0) {
    const node = writableNode(growthFor(chain, left));
    (last as ChainNode).next = node;
    nodes.push(node);
  }
  return nodes;
}

export function roomOfAll(nodes: readonly ChainNode[]): number {
  return nodes.reduce((room, node) => room + roomOf(node), 0);
}

/** The room of each node, cleared: what an earlier user of recycled memory left there must not show. */
export function exposeRoom(chain: Chain, nodes: readonly ChainNode[]): Uint8Array[] {
  const room = roomIn(nodes);
  for (const segment of room) segment.fill(0);
  return hooks === null ? room : hooks.opened(chain, room);
}

function roomIn(nodes: readonly ChainNode[]): Uint8Array[] {
  return nodes.map((node) => viewOf(node, node.end, node.memory.length));
}

/** Turns the first `bytes` bytes of the reserved room into bytes of the buffer. Spare nodes that got none stay spare. */
export function commitNodes(
  chain: Chain,
  nodes: readonly ChainNode[],
  segments: readonly Uint8Array[],
  bytes: number,
): void {
  hooks?.committed(segments, roomIn(nodes));
  chain.length += bytes;
  for (const node of nodes) {
    if (bytes === 0) return;
    const take = Math.min(bytes, roomOf(node));
    if (node === chain.spare) linkBack(chain, takeSpare(chain) as ChainNode);
    node.end += take;
    bytes -= take;
  }
}

/**
 * Writable room at the back of a buffer, from `Evbuffer.reserve`. Its bytes are not part of the buffer until `commit`.
 * Good until the next call that changes the buffer; after that, and after a commit, it is stale.
 */
export interface Reservation {
  /** The room, in order; each piece is cleared to zero. Together at least what was asked for, possibly more. Do not use after `commit`. */
  readonly segments: readonly Uint8Array[];
  /** Bytes in all segments. */
  readonly length: number;
  /**
   * Appends the first `bytes` bytes of the segments (filled in order) to the buffer, without copying. Watchers run before it returns.
   * Throws RangeError ERR_EVBUFFER_OUT_OF_RANGE for more than `length`, EvbufferError ERR_EVBUFFER_STALE_RESERVATION when the buffer
   * changed since, ERR_EVBUFFER_FROZEN_BACK when its back is frozen; the buffer is then unchanged. (api-evbuffer row 33)
   */
  commit(bytes: number): void;
}
