import { detached } from './errors.js';
import { allocate, MAX_SLAB_BYTES, returnSlab, takeSlab } from './memory.js';

/** Whoever lent memory to a buffer by `addLeased`. */
export interface LeaseOwner {
  /** Called exactly once per lease, when no byte of it is in any buffer any more. */
  release(lease: number): void;
}

/** Called once with the memory given to `addReference`, when no byte of it is in any buffer any more. */
export type ReleaseCallback = (memory: Uint8Array) => void;

/** Who owns a node's memory, and so what happens to it when the node goes. */
export type Ownership = 0 | 1 | 2 | 3 | 4 | 5;
/** In the free list: nothing may refer to it. */
export const FREE: Ownership = 0;
/** Ours, from the slab pool; returned to it. */
export const SLAB: Ownership = 1;
/** Ours, too large for the pool; left to the garbage collector. */
export const OWNED: Ownership = 2;
/** The user's, never written; its release callback runs. */
export const REFERENCE: Ownership = 3;
/** Lent by a memory pool, never written; `owner.release(lease)` runs. */
export const LEASED: Ownership = 4;
/** A part of a node that was split: `carrier` holds the ownership and counts the parts. Never written. */
export const SHARED: Ownership = 5;

const NO_MEMORY = new Uint8Array(0);

export class ChainNode {
  memory: Uint8Array = NO_MEMORY;
  start = 0;
  end = 0;
  ownership: Ownership = FREE;
  /** Only then may bytes outside [start, end) be written. True for SLAB and OWNED. */
  writable = false;
  /** `start` at the moment of the pin, −1 when not pinned. Memory from here to `end` must stay as it is. */
  pinnedFrom = -1;
  lease = 0;
  owner: LeaseOwner | null = null;
  onRelease: ReleaseCallback | null = null;
  carrier: ChainNode | null = null;
  /** On a carrier: how many nodes share it. */
  holders = 0;
  next: ChainNode | null = null;
}

/** Nodes not in use, last in first out, linked by `next`. */
let freeNodes: ChainNode | null = null;
let freeNodeCount = 0;
const MAX_FREE_NODES = 4096;

function takeNode(): ChainNode {
  const node = freeNodes;
  if (node === null) return new ChainNode();
  freeNodes = node.next;
  freeNodeCount--;
  node.next = null;
  return node;
}

function recycleNode(node: ChainNode): void {
  node.ownership = FREE;
  node.memory = NO_MEMORY;
  node.start = 0;
  node.end = 0;
  node.writable = false;
  node.pinnedFrom = -1;
  node.owner = null;
  node.onRelease = null;
  node.carrier = null;
  node.holders = 0;
  node.next = null;
  if (freeNodeCount < MAX_FREE_NODES) {
    node.next = freeNodes;
    freeNodes = node;
    freeNodeCount++;
  }
}

/** An empty writable node of at least `bytes`. */
export function writableNode(bytes: number): ChainNode {
  const pooled = bytes <= MAX_SLAB_BYTES;
  const memory = pooled ? takeSlab(bytes) : allocate(bytes);
  const node = takeNode();
  node.memory = memory;
  node.ownership = pooled ? SLAB : OWNED;
  node.writable = true;
  return node;
}

export function referenceNode(memory: Uint8Array, onRelease: ReleaseCallback | null): ChainNode {
  const node = takeNode();
  node.memory = memory;
  node.end = memory.length;
  node.ownership = REFERENCE;
  node.onRelease = onRelease;
  return node;
}

export function leasedNode(
  memory: Uint8Array,
  start: number,
  end: number,
  owner: LeaseOwner,
  lease: number,
): ChainNode {
  const node = takeNode();
  node.memory = memory;
  node.start = start;
  node.end = end;
  node.ownership = LEASED;
  node.owner = owner;
  node.lease = lease;
  return node;
}

/**
 * Cuts [start + bytes, end) off `node` into a new node over the same memory, without copying. From then on neither
 * part is writable, and the memory is released when the later of the two goes.
 *
 *      node                      node      rest
 *   ┌──────────────┐          ┌────────┬─────────┐
 *   │ bytes        │    ──►   │ bytes  │ bytes   │   both ──► carrier (ownership, holders = 2)
 *   └──────────────┘          └────────┴─────────┘
 */
export function shareRest(node: ChainNode, bytes: number): ChainNode {
  let carrier = node.carrier;
  if (carrier === null) {
    carrier = takeNode();
    carrier.memory = node.memory;
    carrier.ownership = node.ownership;
    carrier.owner = node.owner;
    carrier.lease = node.lease;
    carrier.onRelease = node.onRelease;
    carrier.holders = 1;
    node.ownership = SHARED;
    node.writable = false;
    node.owner = null;
    node.onRelease = null;
    node.carrier = carrier;
  }
  carrier.holders++;
  const rest = takeNode();
  rest.memory = node.memory;
  rest.start = node.start + bytes;
  rest.end = node.end;
  rest.ownership = SHARED;
  rest.carrier = carrier;
  node.end = rest.start;
  return rest;
}

/** Gives a node's memory back to its owner and the node to the free list. May run user code (a release callback). */
export function releaseNode(node: ChainNode): void {
  const { ownership, memory, owner, lease, onRelease, carrier } = node;
  recycleNode(node);
  if (ownership === SLAB) returnSlab(memory);
  else if (ownership === LEASED) owner?.release(lease);
  else if (ownership === REFERENCE) onRelease?.(memory);
  else if (ownership === SHARED && carrier !== null && --carrier.holders === 0) releaseNode(carrier);
}

/** Throws unless the node's memory still reaches to its end (it does not after a transfer or a resize). */
export function checkAttached(node: ChainNode): void {
  if (node.end > node.memory.length) throw detached();
}

/** The first `bytes` bytes of a node; the memory itself when that is all of it. */
export function viewOf(node: ChainNode, start: number, end: number): Uint8Array {
  const memory = node.memory;
  return start === 0 && end === memory.length ? memory : memory.subarray(start, end);
}

/** Shifts a writable node's bytes to the start of its memory. */
export function realign(node: ChainNode): void {
  node.memory.copyWithin(0, node.start, node.end);
  node.end -= node.start;
  node.start = 0;
}
