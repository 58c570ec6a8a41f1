import { appendBytes, type Chain, cut, dropSpares, frontChanged, linkBack } from './chain.js';
import { copyBytes } from './memory.js';
import { type ChainNode, checkReadable, shareNode, writableNode } from './node.js';

/** A split copies the front part up to this many bytes; beyond it both sides share the memory. */
const MAX_SPLIT_COPY_BYTES = 1024;

/** Relinks all nodes of a non-empty source behind the target's, or before them. Constant time, no byte is touched. */
export function moveAll(source: Chain, target: Chain, toFront: boolean): void {
  const first = toFront ? source : target;
  const second = toFront ? target : source;
  const head = first.head ?? second.head;
  const tail = second.tail ?? first.tail;
  if (first.tail !== null) first.tail.next = second.head;
  target.head = head;
  target.tail = tail;
  target.length += source.length;
  target.files ||= source.files;
  if (toFront) frontChanged(target);
  frontChanged(source);
  source.head = null;
  source.tail = null;
  source.length = 0;
  source.files = false;
  dropSpares(source);
}

/**
 * Moves the first `bytes` bytes (fewer than the source holds) behind the target's. Whole nodes are relinked; the node in
 * which the cut falls is split:
 *
 *      source:  [ a ]──►[ b b b b b b ]──►[ c ]            cut in b
 *      target gets [ a ] and a part of b by one of
 *        the part is small, and not the most of b:  copy it to the target's back, move b's start
 *        else, and in a file:                       both refer to the same memory, which goes with the later of the two
 */
export function moveSome(source: Chain, target: Chain, bytes: number): void {
  let last: ChainNode | null = null;
  let node = source.head as ChainNode;
  let left = bytes;
  while (left >= node.end - node.start) {
    left -= node.end - node.start;
    last = node;
    node = node.next as ChainNode;
  }
  let linked = bytes;
  if (left > 0) {
    const inMemory = node.extent === null;
    if (inMemory) checkReadable(node);
    const small = left <= MAX_SPLIT_COPY_BYTES && 2 * left <= node.end - node.start;
    if (!inMemory || !small) {
      last = node;
      node = cut(source, node, left);
    } else {
      if (last === null) {
        appendBytes(target, node.memory, node.start, node.start + left);
        linked -= left;
      } else {
        // A copy of its own: the target's room is before what is linked.
        const copy = writableNode(left);
        copyBytes(node.memory, node.start, node.start + left, copy.memory, 0);
        copy.end = left;
        last.next = copy;
        last = copy;
      }
      node.start += left;
    }
  }
  frontChanged(source);
  source.length -= bytes;
  target.length += linked;
  target.files ||= source.files;
  if (last === null) return;
  last.next = null;
  linkBack(target, source.head as ChainNode, last);
  source.head = node;
}

/** Links nodes over the same bytes as the source's behind the target's. No byte is copied; the source's nodes are not writable any more. */
export function shareAll(source: Chain, target: Chain): void {
  for (let node = source.head; node !== null; node = node.next) linkBack(target, shareNode(node));
  target.length += source.length;
  target.files ||= source.files;
}
