import { appendBytes, type Chain, dropSpares, frontChanged, linkBack } from './chain.js';
import { copyBytes } from './memory.js';
import { type ChainNode, checkReadable, shareNode, shareRest, writableNode } from './node.js';

/** A split copies the smaller side up to this many bytes; beyond it both sides share the memory. */
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
  if (source.spare !== null) dropSpares(source);
}

/**
 * Moves the first `bytes` bytes (fewer than the source holds) behind the target's. Whole nodes are relinked; the node in
 * which the cut falls is split:
 *
 *      source:  [ a ]──►[ b b b b b b ]──►[ c ]            cut in b
 *      target gets [ a ] and a part of b by one of
 *        the front part is small:  copy it to the target's back, move b's start
 *        the rest is small:        copy the rest to a new node for the source, relink b
 *        both are large, or in a file:  both refer to the same memory, which goes with the later of the two
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
    const rest = node.end - node.start - left;
    if (inMemory && left <= rest && left <= MAX_SPLIT_COPY_BYTES) {
      // Into the target's room when nothing comes before it there.
      if (last === null) {
        appendBytes(target, node.memory, node.start, node.start + left);
        linked -= left;
      } else {
        last.next = copyOf(node.memory, node.start, left);
        last = last.next;
      }
      node.start += left;
    } else {
      const restNode: ChainNode =
        inMemory && rest <= MAX_SPLIT_COPY_BYTES ? copyOf(node.memory, node.end - rest, rest) : shareRest(node, left);
      node.end = node.start + left;
      restNode.next = node.next;
      if (source.tail === node) source.tail = restNode;
      last = node;
      node = restNode;
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

function copyOf(memory: Uint8Array, start: number, bytes: number): ChainNode {
  const node = writableNode(bytes);
  copyBytes(memory, start, start + bytes, node.memory, 0);
  node.end = bytes;
  return node;
}

/** Links nodes over the same bytes as the source's behind the target's. No byte is copied; the source's nodes are not writable any more. */
export function shareAll(source: Chain, target: Chain): void {
  for (let node = source.head; node !== null; node = node.next) linkBack(target, shareNode(node));
  target.length += source.length;
  target.files ||= source.files;
}
