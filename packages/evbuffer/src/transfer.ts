import { appendBytes, type Chain, dropSpares, frontChanged, linkBack } from './chain.js';
import { copyBytes } from './memory.js';
import { type ChainNode, checkReadable, shareNode, shareRest, writableNode } from './node.js';

/** A split copies the smaller side up to this many bytes; beyond it both sides share the memory. */
const MAX_SPLIT_COPY_BYTES = 1024;

function forget(source: Chain): void {
  frontChanged(source);
  source.head = null;
  source.tail = null;
  source.length = 0;
  if (source.spare !== null) dropSpares(source);
}

/** Relinks all nodes of a non-empty source behind the target's. Constant time, no byte is touched. */
export function moveAllBack(source: Chain, target: Chain): void {
  if (target.tail === null) target.head = source.head;
  else target.tail.next = source.head;
  target.tail = source.tail;
  target.length += source.length;
  forget(source);
}

/** Relinks all nodes of a non-empty source before the target's. */
export function moveAllFront(source: Chain, target: Chain): void {
  frontChanged(target);
  const last = source.tail as ChainNode;
  last.next = target.head;
  if (target.tail === null) target.tail = last;
  target.head = source.head;
  target.length += source.length;
  forget(source);
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
  let copyFrontPart = false;
  if (left > 0) {
    const inMemory = node.extent === null;
    if (inMemory) checkReadable(node);
    const rest = node.end - node.start - left;
    copyFrontPart = inMemory && left <= rest && left <= MAX_SPLIT_COPY_BYTES;
    if (!copyFrontPart) {
      let restNode: ChainNode;
      if (inMemory && rest <= MAX_SPLIT_COPY_BYTES) {
        restNode = writableNode(rest);
        copyBytes(node.memory, node.end - rest, node.end, restNode.memory, 0);
        restNode.end = rest;
        node.end -= rest;
      } else {
        restNode = shareRest(node, left);
      }
      restNode.next = node.next;
      if (source.tail === node) source.tail = restNode;
      last = node;
      node = restNode;
    }
  }
  const inCopy = copyFrontPart ? left : 0;
  frontChanged(source);
  source.length -= bytes;
  if (last !== null) {
    const first = source.head;
    last.next = null;
    source.head = node;
    if (target.tail === null) target.head = first;
    else target.tail.next = first;
    target.tail = last;
    target.length += bytes - inCopy;
  }
  if (inCopy > 0) {
    appendBytes(target, node.memory, node.start, node.start + inCopy);
    node.start += inCopy;
  }
}

/** Links nodes over the same bytes as the source's behind the target's. No byte is copied; the source's nodes are not writable any more. */
export function shareAll(source: Chain, target: Chain): void {
  for (let node = source.head; node !== null; node = node.next) linkBack(target, shareNode(node));
  target.length += source.length;
}
