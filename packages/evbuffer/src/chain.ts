import { hooks } from './debug-hooks.js';
import { pinned } from './errors.js';
import { allocate, copyBytes, MAX_SLAB_BYTES, MIN_SLAB_BYTES } from './memory.js';
import {
  type ChainNode,
  checkReadable,
  copyNode,
  REFERENCE,
  realign,
  recycleReference,
  recycleSlab,
  releaseNode,
  roomOf,
  SLAB,
  shareNode,
  writableNode,
} from './node.js';

/**
 * The chain: a singly linked list of nodes, each a range of some memory.
 *
 *      head                                              tail        spare (no bytes yet)
 *       │                                                 │            │
 *       ▼                                                 ▼            ▼
 *   ┌────────────────┐   ┌───────────────────┐   ┌────────────────┐  ┌────────────────┐
 *   │░░░│bytes │░░░░░│──►│ bytes             │──►│bytes  │ room   │  │ room           │──► …
 *   └────────────────┘   └───────────────────┘   └────────────────┘  └────────────────┘
 *   0  start end  length  reference: not ours     start=0 end
 *
 * Invariants (checked by `validate`):
 *  - no node between head and tail is empty, so an empty buffer has neither;
 *  - `length` is the sum of the nodes' ranges;
 *  - a node is in one chain only, and writable memory belongs to one node only: bytes after `end` may be overwritten
 *    by whoever appends, bytes before `start` by whoever prepends;
 *  - spare nodes are writable, empty and start at 0; an empty buffer that was drained keeps none.
 */
export interface Chain {
  head: ChainNode | null;
  tail: ChainNode | null;
  /** Bytes in all nodes. */
  length: number;
  /** Another one after everything that moves or changes bytes; views, reservations and iterations of an older one are stale. */
  version: number;
  /** Another one when bytes went from the front or came before it: what was counted from the front is wrong now. */
  epoch: number;
  /** Another one when nodes were merged, and the one in which a place was found may be gone. */
  layout: number;
  /** Another one when bytes were overwritten where they are: what was searched in vain has to be searched again. */
  rewrites: number;
  /** Whether nodes between head and tail may be in files; else there are none. */
  files: boolean;
  /** Empty writable nodes that the next appends take before they allocate. */
  spare: ChainNode | null;
  pinned: boolean;
  /** How many nodes between head and tail are pinned. */
  pinnedNodes: number;
  /** Pinned nodes that were drained: kept until the pin goes. */
  limbo: ChainNode | null;
}

export function createChain(): Chain {
  return {
    head: null,
    tail: null,
    length: 0,
    version: 0,
    epoch: 0,
    layout: 0,
    rewrites: 0,
    files: false,
    spare: null,
    pinned: false,
    pinnedNodes: 0,
    limbo: null,
  };
}

/** Makes what was handed out stale. The counters wrap as 32-bit integers: a view would have to sleep through 2³² changes. */
export function changed(chain: Chain): void {
  chain.version = (chain.version + 1) | 0;
  if (hooks !== null) hooks.changed(chain);
}

/** Makes positions stale, for a change at the front. */
export function frontChanged(chain: Chain): void {
  chain.epoch = (chain.epoch + 1) | 0;
}

/**
 * Releases a list of nodes that were already taken out of their chain. User code runs here, so the chain must be whole
 * again before the call. Each node is released even when a callback throws: the first exception is thrown at the end.
 */
export function releaseNodes(first: ChainNode | null): void {
  let failed = false;
  let failure: unknown;
  let node = first;
  while (node !== null) {
    const next: ChainNode | null = node.next;
    try {
      releaseNode(node);
    } catch (error) {
      if (!failed) failure = error;
      failed = true;
    }
    node = next;
  }
  if (failed) throw failure;
}

/** Takes away the spare nodes. They hold no bytes and no user code, so they can be released at any moment. */
export function dropSpares(chain: Chain): void {
  let node = chain.spare;
  chain.spare = null;
  while (node !== null) {
    const next: ChainNode | null = node.next;
    releaseNode(node);
    node = next;
  }
}

/** Growth of automatically sized nodes stops here: large enough to amortise, small enough not to waste. */
const MAX_GROWTH_BYTES = 16384;

/**
 * How large the next node should be when `bytes` must fit: twice the last one of ours, within bounds (api-evbuffer §1).
 * Behind foreign memory it starts small again, as the small pieces between large references do.
 */
export function growthFor(chain: Chain, bytes: number): number {
  const tail = chain.tail;
  const grown = tail?.writable ? Math.min(tail.memory.length * 2, MAX_GROWTH_BYTES) : MIN_SLAB_BYTES;
  return Math.max(bytes, grown);
}

/** Links a node that holds bytes, or the list of them up to `last`, behind the tail. */
export function linkBack(chain: Chain, node: ChainNode, last: ChainNode = node): void {
  if (chain.tail === null) chain.head = node;
  else chain.tail.next = node;
  chain.tail = last;
}

/** Cuts [start + bytes, end) off a node of the chain into a new one behind it, over the same memory and pinned like it; returns that. */
export function cut(chain: Chain, node: ChainNode, bytes: number): ChainNode {
  const rest = shareNode(node);
  rest.start = node.start + bytes;
  node.end = rest.start;
  rest.next = node.next;
  node.next = rest;
  if (chain.tail === node) chain.tail = rest;
  if (node.pinnedFrom >= 0) {
    rest.pinnedFrom = rest.start;
    chain.pinnedNodes++;
  }
  return rest;
}

/** Takes the first spare node out of the list. */
export function takeSpare(chain: Chain): ChainNode | null {
  const spare = chain.spare;
  if (spare === null) return null;
  chain.spare = spare.next;
  spare.next = null;
  return spare;
}

/** Copies source[start, end) to the back. Short, because it has to be inlined: what is rarer is `appendAcross`. */
export function appendBytes(chain: Chain, source: Uint8Array, start: number, end: number): void {
  const bytes = end - start;
  let node = chain.tail;
  if (node === null && chain.spare === null) {
    node = writableNode(bytes);
    linkBack(chain, node);
  } else if (!node?.writable || bytes > node.memory.length - node.end) {
    appendAcross(chain, source, start, end);
    return;
  }
  copyBytes(source, start, end, node.memory, node.end);
  node.end += bytes;
  chain.length += bytes;
}

/** Copies source[start, end) first into the tail's room, then into spare nodes, then into a new one. */
function appendAcross(chain: Chain, source: Uint8Array, start: number, end: number): void {
  const tail = chain.tail;
  const bytes = end - start;
  const room = roomOf(tail);
  let missing = bytes - room;
  for (let spare = chain.spare; spare !== null; spare = spare.next) missing -= spare.memory.length;
  // Allocated before anything changes, so that a failure leaves the buffer as it was.
  const fresh = missing > 0 ? writableNode(growthFor(chain, missing)) : null;
  chain.length += bytes;
  if (tail !== null && room > 0) {
    copyBytes(source, start, start + room, tail.memory, tail.end);
    tail.end += room;
    start += room;
  }
  while (start < end) {
    const node = takeSpare(chain) ?? (fresh as ChainNode);
    const fits = Math.min(node.memory.length, end - start);
    // Memory that somebody detached through a view of a reservation.
    if (fits === 0) continue;
    copyBytes(source, start, start + fits, node.memory, 0);
    node.end = fits;
    linkBack(chain, node);
    start += fits;
  }
}

/**
 * Copies bytes to the front: into the gap before the first node, and what does not fit to the end of a new front node,
 * so that the next prepend finds a gap there.
 *
 *     gap                          new node          gap, now filled
 *   ┌─────┬───────┬───┐           ┌───────┬─────┐   ┌─────┬───────┬───┐
 *   │░░░░░│ bytes │░░░│    ──►    │░░░░░░░│ abc │──►│ defg│ bytes │░░░│
 *   └─────┴───────┴───┘           └───────┴─────┘   └─────┴───────┴───┘
 */
export function prependBytes(chain: Chain, source: Uint8Array): void {
  const head = chain.head;
  let left = source.length;
  let gap = 0;
  // The drained part of a pinned node looks like a gap, but somebody may still read it.
  if (head?.writable && head.end <= head.memory.length && (head.pinnedFrom < 0 || head.start <= head.pinnedFrom)) {
    gap = Math.min(head.start, left);
  }
  const node = gap < left ? writableNode(left - gap) : null;
  frontChanged(chain);
  chain.length += left;
  if (head !== null && gap > 0) {
    copyBytes(source, left - gap, left, head.memory, head.start - gap);
    head.start -= gap;
    left -= gap;
  }
  if (node === null) return;
  node.end = node.memory.length;
  node.start = node.end - left;
  copyBytes(source, 0, left, node.memory, node.start);
  node.next = head;
  chain.head = node;
  if (head === null) chain.tail = node;
}

/**
 * Takes `bytes` (1 to length) off the front and returns the nodes that are done with and have an owner to tell, for
 * `releaseNodes`. Pinned ones go to limbo: a release callback that pins, unpins or drains this chain meets none of them.
 */
export function discardFront(chain: Chain, bytes: number): ChainNode | null {
  frontChanged(chain);
  chain.length -= bytes;
  const head = chain.head as ChainNode;
  const size = head.end - head.start;
  if (bytes < size) {
    head.start += bytes;
    return null;
  }
  const next = head.next;
  let done: ChainNode | null = null;
  // All of the head and nothing else: what reading piece by piece comes to, and a sixth cheaper without the loop.
  if (bytes === size && head.pinnedFrom < 0 && tryRecycle(head)) startAt(chain, next);
  else done = discardNodes(chain, head, bytes);
  if (chain.head === null && chain.spare !== null) dropSpares(chain);
  return done;
}

/** Recycles a node unless its memory has an owner to tell; returns whether it did. */
function tryRecycle(node: ChainNode): boolean {
  if (node.ownership === SLAB) recycleSlab(node);
  else if (node.ownership === REFERENCE && node.onRelease === null) recycleReference(node);
  else return false;
  return true;
}

/** Makes `node` the head, after those before it have been taken out. */
function startAt(chain: Chain, node: ChainNode | null): void {
  chain.head = node;
  if (node !== null) return;
  chain.tail = null;
  chain.files = false;
}

/** The same with the nodes from `node` on, where the chain begins after: neither its length nor its spare nodes change. */
function discardNodes(chain: Chain, node: ChainNode | null, bytes: number): ChainNode | null {
  let first: ChainNode | null = null;
  let last: ChainNode | null = null;
  while (node !== null && bytes > 0) {
    const size: number = node.end - node.start;
    if (size > bytes) {
      node.start += bytes;
      break;
    }
    bytes -= size;
    const next: ChainNode | null = node.next;
    if (node.pinnedFrom >= 0) {
      node.next = chain.limbo;
      chain.limbo = node;
      chain.pinnedNodes--;
    } else if (!tryRecycle(node)) {
      if (last === null) first = node;
      else last.next = node;
      last = node;
    }
    node = next;
  }
  startAt(chain, node);
  if (last !== null) last.next = null;
  return first;
}

/** Throws unless the first `bytes` bytes from `node` on can be looked at, as far as they are in memory. */
export function checkReadableFront(node: ChainNode | null, bytes: number): void {
  for (let left = bytes; node !== null && left > 0; node = node.next) {
    if (node.extent === null) checkReadable(node);
    left -= node.end - node.start;
  }
}

/**
 * Copies `bytes` bytes, of which the first comes `skip` bytes after the start of `node`, to target at 0. Throws before it writes anything
 * when memory is gone; a file that fails leaves the target half written, and the chain as it was.
 */
export function copyFrom(node: ChainNode | null, skip: number, bytes: number, target: Uint8Array): void {
  while (node !== null && skip >= node.end - node.start) {
    skip -= node.end - node.start;
    node = node.next;
  }
  checkReadableFront(node, bytes + skip);
  let at = 0;
  for (let current = node; current !== null && at < bytes; current = current.next) {
    const start = current.start + skip;
    const end = Math.min(current.end, start + bytes - at);
    copyNode(current, start, end, target, at);
    at += end - start;
    skip = 0;
  }
}

/** The same, into memory of its own. */
export function copyOf(node: ChainNode | null, skip: number, bytes: number): Uint8Array {
  const copy = allocate(bytes);
  copyFrom(node, skip, bytes, copy);
  return copy;
}

/** Beyond this a merge allocates to measure: a quarter more would cost too much, or exceed what can be allocated. */
const MAX_SLACK_FOR_BYTES = 2 ** 28;

/** Large enough that repeated, growing pullups do not copy everything each time. */
function pullupCapacity(bytes: number): number {
  return bytes <= MAX_SLAB_BYTES || bytes > MAX_SLACK_FOR_BYTES ? bytes : bytes + Math.ceil(bytes / 4);
}

/**
 * Makes the first `bytes` bytes (more than the head holds, at most `length`) contiguous in the head, and returns those of
 * the nodes emptied by it that have an owner to tell, for `releaseNodes`. The head's own room is used when it suffices;
 * memory that is not ours is never written.
 */
export function mergeFront(chain: Chain, bytes: number): ChainNode | null {
  const head = chain.head as ChainNode;
  const size = head.end - head.start;
  const inRoom = head.writable && head.memory.length - head.end >= bytes - size;
  // Not when reading a file can fail: nothing may have moved then.
  const afterShift = !inRoom && head.writable && !chain.files && head.memory.length >= bytes;
  let needed = bytes;
  for (let node: ChainNode | null = head; node !== null && needed > 0; node = node.next) {
    if (node.extent === null) checkReadable(node);
    if (node.pinnedFrom >= 0 && !(inRoom && node === head)) throw pinned();
    needed -= node.end - node.start;
  }
  let target = head;
  if (afterShift) realign(head);
  else if (!inRoom) target = writableNode(pullupCapacity(bytes));

  // Everything is copied before anything is relinked: reading a file can fail.
  const first = target === head ? head.next : head;
  const left = target === head ? bytes - size : bytes;
  copyFrom(first, 0, left, target.memory.subarray(target.end));
  target.end += left;
  chain.layout = (chain.layout + 1) | 0;
  const done = discardNodes(chain, first, left);
  target.next = chain.head;
  chain.head = target;
  chain.tail ??= target;
  return done;
}
