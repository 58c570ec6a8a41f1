import { hooks } from './debug-hooks.js';
import { detached, EvbufferError } from './errors.js';
import type { FileSource } from './file-source.js';
import {
  allocate,
  copyBytes,
  MAX_RETAINED_BYTES,
  MAX_SLAB_BYTES,
  MIN_SLAB_BYTES,
  reaches,
  SIZE_CLASSES,
  sizeClass,
} from './memory.js';
import { isSharedMemory } from './platform.js';

/** Whoever lent memory to a buffer by `addLeased`. */
export interface LeaseOwner {
  /** Called exactly once per lease, when no byte of it is in any buffer any more. */
  release(lease: number): void;
}

/** Called once with the memory given to `addReference`, when no byte of it is in any buffer any more. */
export type ReleaseCallback = (memory: Uint8Array) => void;

/** Who owns a node's memory, and so what happens to it when the node goes. */
export type Ownership = 0 | 1 | 2 | 3 | 4 | 5 | 6;
/** Not in use: nothing may refer to it. */
export const FREE: Ownership = 0;
/** Ours, of a pooled size; the node keeps it for its next use. */
export const SLAB: Ownership = 1;
/** Ours, too large for the pool; left to the garbage collector. */
export const OWNED: Ownership = 2;
/** The user's, never written; its release callback runs. */
export const REFERENCE: Ownership = 3;
/** Lent by a memory pool, never written; `owner.release(lease)` runs. */
export const LEASED: Ownership = 4;
/** One of several nodes over the same memory: `carrier` holds the ownership and counts them. Never written. */
export const SHARED: Ownership = 5;
/** No memory yet: bytes of a file, read when somebody looks at them. */
export const FILE: Ownership = 6;

const NO_MEMORY = new Uint8Array(0);

/** What adding and draining touch comes first: it shares a cache line or two, and a long queue is cold at its front. */
export class ChainNode {
  memory: Uint8Array = NO_MEMORY;
  start = 0;
  end = 0;
  next: ChainNode | null = null;
  ownership: Ownership = FREE;
  /** `start` at the moment of the pin, −1 when not pinned. Memory from here to `end` must stay as it is. */
  pinnedFrom = -1;
  onRelease: ReleaseCallback | null = null;
  /** The memory may be shared with another thread: to be found out before its bytes are looked at. */
  doubtful = false;
  /** Only then may bytes outside [start, end) be written. True for SLAB and OWNED. */
  writable = false;
  lease = 0;
  owner: LeaseOwner | null = null;
  carrier: ChainNode | null = null;
  /** On a carrier: how many nodes share it. */
  holders = 0;
  /** SLAB, and its carrier: index of its size (`sizeClass`). Means nothing for others. */
  slabClass = 0;
  /** In the slab pool: how many nodes lie below this one. */
  below = 0;
  /** FILE only: where [start, end) is relative to `extent.offset`. */
  extent: FileExtent | null = null;
}

/** Up to `MAX_EXTENT_BYTES` of a file; small enough that positions in it are small integers, whatever the file. */
export interface FileExtent {
  readonly file: FileSource;
  readonly offset: number;
}

export const MAX_EXTENT_BYTES: number = 2 ** 30;

/** Nodes without memory that are not in use, last in first out. An array has less to write than a list. */
const freeNodes: ChainNode[] = [];
const MAX_FREE_NODES = 4096;

/**
 * The slab pool: nodes that are not in use with the memory they had, one stack per size. What was released last is
 * handed out first, because its bytes are the ones most likely still in the processor's cache.
 *
 * A block belongs to exactly one node at a time. Its old bytes stay in it: nothing in this package shows memory outside
 * [start, end) of a node, except a reservation, which clears what it exposes first.
 */
const slabNodes: (ChainNode | null)[] = new Array<null>(SIZE_CLASSES).fill(null);

function takeNode(): ChainNode {
  return freeNodes.pop() ?? newNode();
}

/** Apart, because `takeNode` is inlined everywhere only as long as it is this short. */
function newNode(): ChainNode {
  return new ChainNode();
}

/** Forgets the memory and keeps the node, which is not pinned any more, for its next use. Nobody is told. */
export function recycleNode(node: ChainNode): void {
  node.writable = false;
  node.owner = null;
  node.onRelease = null;
  node.carrier = null;
  node.holders = 0;
  node.extent = null;
  recycleReference(node);
}

/** The same for memory lent by reference that nobody waits for: of the other fields none was ever set. */
export function recycleReference(node: ChainNode): void {
  node.ownership = FREE;
  node.memory = NO_MEMORY;
  node.start = 0;
  node.end = 0;
  node.doubtful = false;
  node.next = null;
  if (freeNodes.length < MAX_FREE_NODES) freeNodes.push(node);
}

/** An empty writable node of at least `bytes`, with whatever its previous user left in the memory. */
export function writableNode(bytes: number): ChainNode {
  if (bytes > MAX_SLAB_BYTES) return allocatedNode(bytes, OWNED);
  const index = sizeClass(bytes);
  const node = slabNodes[index] as ChainNode | null;
  if (node === null) return allocatedNode(MIN_SLAB_BYTES << index, SLAB);
  slabNodes[index] = node.next;
  node.next = null;
  node.ownership = SLAB;
  hooks?.reused(node.memory);
  // A block may have been detached by somebody who kept a view of it past its time: it is not used again.
  if (node.memory.length === 0) node.memory = allocate(MIN_SLAB_BYTES << index);
  return node;
}

function allocatedNode(bytes: number, ownership: Ownership): ChainNode {
  const memory = allocate(bytes);
  const node = takeNode();
  node.memory = memory;
  node.ownership = ownership;
  node.writable = true;
  node.slabClass = sizeClass(bytes);
  return node;
}

/** Keeps a slab's node with its memory, unless enough of its size are kept. Does not look at the memory, which may be cold. */
export function recycleSlab(node: ChainNode): void {
  const index = node.slabClass;
  const top = slabNodes[index] as ChainNode | null;
  const below = top === null ? 0 : top.below + 1;
  if (below >= (MAX_RETAINED_BYTES / MIN_SLAB_BYTES) >> index) {
    recycleNode(node);
    return;
  }
  hooks?.retired(node.memory);
  node.ownership = FREE;
  node.start = 0;
  node.end = 0;
  node.below = below;
  node.next = top;
  slabNodes[index] = node;
}

/** Bytes that the pool holds for later. For tests of the bound. */
export function retainedBytes(): number {
  return slabNodes.reduce(
    (total, top, index) => total + (top === null ? 0 : (top.below + 1) * (MIN_SLAB_BYTES << index)),
    0,
  );
}

export function referenceNode(memory: Uint8Array, onRelease: ReleaseCallback | null): ChainNode {
  const node = takeNode();
  node.memory = memory;
  node.end = memory.length;
  node.ownership = REFERENCE;
  node.doubtful = true;
  node.onRelease = hooks === null ? onRelease : hooks.referenced(memory, onRelease);
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
  node.owner = hooks === null ? owner : hooks.leased(memory, start, end, owner, lease);
  node.lease = lease;
  return node;
}

/** `bytes` (at most `MAX_EXTENT_BYTES`) of a file from its `offset` on; the node is one more user of the file. */
export function fileNode(file: FileSource, offset: number, bytes: number): ChainNode {
  const node = takeNode();
  node.end = bytes;
  node.ownership = FILE;
  node.extent = { file, offset };
  file.retain();
  return node;
}

/**
 * A second node over the same bytes. From then on neither is writable, and the memory is released when the later of
 * them goes. Sharing shared memory adds a holder.
 *
 *      node                      node         twin
 *   ┌──────────────┐          ┌────────┐   ┌────────┐
 *   │ bytes        │    ──►   │ bytes  │   │ bytes  │   both ──► carrier (ownership, holders = 2) ──► memory
 *   └──────────────┘          └────────┘   └────────┘
 */
export function shareNode(node: ChainNode): ChainNode {
  const twin = takeNode();
  twin.memory = node.memory;
  twin.start = node.start;
  twin.end = node.end;
  twin.doubtful = node.doubtful;
  if (node.extent !== null) {
    twin.ownership = FILE;
    twin.extent = node.extent;
    node.extent.file.retain();
    return twin;
  }
  let carrier = node.carrier;
  if (carrier === null) {
    carrier = takeNode();
    carrier.memory = node.memory;
    carrier.ownership = node.ownership;
    carrier.writable = node.writable;
    carrier.slabClass = node.slabClass;
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
  twin.ownership = SHARED;
  twin.carrier = carrier;
  return twin;
}

/** Gives a node's memory back to its owner and the node to its pool. May run user code (a release callback). */
export function releaseNode(node: ChainNode): void {
  if (node.ownership === SLAB) {
    recycleSlab(node);
    return;
  }
  const { ownership, memory, owner, lease, onRelease, carrier, extent } = node;
  recycleNode(node);
  if (ownership === LEASED) owner?.release(lease);
  else if (ownership === REFERENCE) onRelease?.(memory);
  else if (ownership === SHARED && carrier !== null && --carrier.holders === 0) releaseNode(carrier);
  else if (extent !== null) extent.file.release();
}

/**
 * Throws unless the bytes of a node in memory can be looked at: the memory still reaches to their end (it does not
 * after a transfer or a resize), and no other thread can write it.
 */
export function checkReadable(node: ChainNode): void {
  if (!reaches(node.memory, node.end)) throw detached();
  if (!node.doubtful) return;
  if (isSharedMemory(node.memory)) {
    throw new EvbufferError('ERR_EVBUFFER_SHARED', 'memory is shared between threads');
  }
  node.doubtful = false;
}

/** Copies bytes [from, to) of a node, in its own counting, to the target; bytes of a file are read, and nothing else of it. */
export function copyNode(node: ChainNode, from: number, to: number, target: Uint8Array, at: number): void {
  if (node.extent !== null) node.extent.file.readSync(target, at, node.extent.offset + from, to - from);
  else copyBytes(node.memory, from, to, target, at);
}

/** The bytes [start, end) of a node's memory; the memory itself when that is all of it. */
export function viewOf(node: ChainNode, start: number, end: number): Uint8Array {
  const memory = node.memory;
  return start === 0 && end === memory.length ? memory : memory.subarray(start, end);
}

/** Bytes that can be written behind those of a node. */
export function roomOf(node: ChainNode | null): number {
  return node?.writable ? Math.max(0, node.memory.length - node.end) : 0;
}

/** Shifts a writable node's bytes to the start of its memory. */
export function realign(node: ChainNode): void {
  node.memory.copyWithin(0, node.start, node.end);
  node.end -= node.start;
  node.start = 0;
}

/** Two nodes exchange what they hold; their places in a list, and their pins, stay. */
export function exchange(a: ChainNode, b: ChainNode): void {
  const held = { ...a };
  Object.assign(a, b, { next: a.next, pinnedFrom: a.pinnedFrom });
  Object.assign(b, held, { next: b.next, pinnedFrom: b.pinnedFrom });
}
