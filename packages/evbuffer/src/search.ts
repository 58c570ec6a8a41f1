import type { Chain } from './chain.js';
import { makeReadable } from './file-node.js';
import type { ChainNode } from './node.js';
import { bufferMethods } from './platform.js';

/** Bytes looked at one by one before the native search is worth its call. */
const SCAN_BYTES = 64;

/** Up to this much memory beside the range is searched in vain before a view of the range alone pays. */
const MAX_OVERSHOOT_BYTES = 4096;

/** Whether a native search up to `to`, which has no end of its own, could go on for long behind it. */
function overshoots(memory: Uint8Array, to: number): boolean {
  return memory.length - to > MAX_OVERSHOOT_BYTES;
}

/** Memory to search natively up to `to`, with offsets as before. */
function endingNear(memory: Uint8Array, to: number): Uint8Array {
  return overshoots(memory, to) ? memory.subarray(0, to) : memory;
}

/** Offset of `byte` in memory[from, to), or −1. */
function findByteIn(memory: Uint8Array, byte: number, from: number, to: number): number {
  const scanned = Math.min(to, from + SCAN_BYTES);
  for (let i = from; i < scanned; i++) if (memory[i] === byte) return i;
  return scanned === to ? -1 : findByteNative(memory, byte, scanned, to);
}

/** Node's own search counts in 32 bits: what ends beyond is searched without it. */
const MAX_NATIVE_BYTES = 2 ** 31 - 1;

/** The same without looking at the first bytes one by one. */
function findByteNative(memory: Uint8Array, byte: number, from: number, to: number): number {
  const { indexOf, lastIndexOf } =
    bufferMethods !== undefined && to <= MAX_NATIVE_BYTES ? bufferMethods : Uint8Array.prototype;
  // Backwards a search does end, at 0: near it, a second search costs a quarter of what a view does.
  const backwards = to <= MAX_OVERSHOOT_BYTES && overshoots(memory, to);
  if (backwards && lastIndexOf.call(memory, byte, to - 1) < from) return -1;
  const found = indexOf.call(backwards ? memory : endingNear(memory, to), byte, from);
  return found < to ? found : -1;
}

/** Position of the first `byte` in [from, to), or −1. The search starts at `node`, before which `base` bytes (at most `from`) come. */
export function findByte(
  chain: Chain,
  node: ChainNode | null,
  base: number,
  byte: number,
  from: number,
  to: number,
): number {
  while (node !== null && base < to) {
    if (from < base + node.end - node.start && makeReadable(chain, node, from - base)) {
      const start = node.start + Math.max(0, from - base);
      const end = Math.min(node.end, node.start + to - base);
      const found = findByteIn(node.memory, byte, start, end);
      if (found >= 0) return base + found - node.start;
    }
    base += node.end - node.start;
    node = node.next;
  }
  return -1;
}

/** Whether `needle` stands at `offset` of the node's memory, going on in the nodes behind it. */
function matchesAt(chain: Chain, node: ChainNode, offset: number, needle: Uint8Array): boolean {
  let current: ChainNode | null = node;
  let at = offset;
  for (let i = 0; i < needle.length; i++) {
    while (current !== null && at === current.end) {
      current = current.next;
      if (current !== null) {
        makeReadable(chain, current, 0);
        at = current.start;
      }
    }
    if (current === null || current.memory[at] !== needle[i]) return false;
    at++;
  }
  return true;
}

/**
 * Position of the first match of a non-empty needle that lies wholly in [from, to), or −1. Each node is searched by
 * itself, for the first byte first: where that is rare, one fast search per node is all. The last needle.length − 1
 * places of a node, from which a match would reach into the next, are compared byte by byte (without a native search,
 * all places are). `node` and `base` as in `findByte`.
 */
export function findBytes(
  chain: Chain,
  node: ChainNode | null,
  base: number,
  needle: Uint8Array,
  from: number,
  to: number,
): number {
  const lastPosition = to - needle.length;
  const firstByte = needle[0] as number;
  while (node !== null && base <= lastPosition) {
    if (from < base + node.end - node.start && makeReadable(chain, node, from - base)) {
      const { memory } = node;
      const start = node.start + Math.max(0, from - base);
      const end = Math.min(node.end, node.start + to - base);
      // From the first of these on no match begins in this node, from the second on none ends in it.
      const startsEnd = Math.min(node.end, node.start + lastPosition - base + 1);
      const insideEnd = end - needle.length + 1;
      let at = start < startsEnd ? findByteNative(memory, firstByte, start, startsEnd) : -1;
      while (at >= 0) {
        if (matchesAt(chain, node, at, needle)) return base + at - node.start;
        // Once: after it only places are left from which a match would reach into the next node.
        if (at + 1 < insideEnd && bufferMethods !== undefined && end <= MAX_NATIVE_BYTES) {
          const inside = bufferMethods.indexOf.call(endingNear(memory, end), needle, at + 1);
          if (inside >= 0 && inside + needle.length <= end) return base + inside - node.start;
          at = insideEnd - 1;
        }
        at = findByteIn(memory, firstByte, at + 1, startsEnd);
      }
    }
    base += node.end - node.start;
    node = node.next;
  }
  return -1;
}
