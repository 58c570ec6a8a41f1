import type { Chain } from './chain.js';
import { makeReadable } from './file-node.js';
import type { ChainNode } from './node.js';
import { bufferMethods } from './platform.js';

/** Bytes looked at one by one before the native search is worth its call. */
const SCAN_BYTES = 64;

/** Up to this much memory behind the range is searched in vain before a view pays. */
const MAX_OVERSHOOT_BYTES = 4096;

/** Memory to search natively up to `to`, with offsets as before: the native search has no end of its own. */
function endingNear(memory: Uint8Array, to: number): Uint8Array {
  return memory.length - to > MAX_OVERSHOOT_BYTES ? memory.subarray(0, to) : memory;
}

/** Offset of `byte` in memory[from, to), or −1. */
function findByteIn(memory: Uint8Array, byte: number, from: number, to: number): number {
  const scanned = Math.min(to, from + SCAN_BYTES);
  for (let i = from; i < scanned; i++) if (memory[i] === byte) return i;
  return scanned === to ? -1 : findByteNative(endingNear(memory, to), byte, scanned, to);
}

/** Node's own search counts in 32 bits: what ends beyond is searched without it. */
const MAX_NATIVE_BYTES = 2 ** 31 - 1;

const { indexOf } = Uint8Array.prototype;

/** The same for memory that is `endingNear`. */
function findByteNative(memory: Uint8Array, byte: number, from: number, to: number): number {
  const search = bufferMethods !== undefined && to <= MAX_NATIVE_BYTES ? bufferMethods.indexOf : indexOf;
  const found = search.call(memory, byte, from);
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
      const start = node.start + Math.max(0, from - base);
      const end = Math.min(node.end, node.start + to - base);
      const memory = endingNear(node.memory, end);
      const first = start < end ? findByteNative(memory, firstByte, start, end) : -1;
      if (first >= 0) {
        const lastStart = Math.min(node.end - 1, node.start + lastPosition - base);
        let at = first;
        if (bufferMethods !== undefined && end <= MAX_NATIVE_BYTES) {
          const inside = bufferMethods.indexOf.call(memory, needle, first);
          if (inside >= 0 && inside + needle.length <= end) return base + inside - node.start;
          at = Math.max(first, node.end - needle.length + 1);
        }
        for (; at >= 0 && at <= lastStart; at = findByteIn(memory, firstByte, at + 1, lastStart + 1)) {
          if (matchesAt(chain, node, at, needle)) return base + at - node.start;
        }
      }
    }
    base += node.end - node.start;
    node = node.next;
  }
  return -1;
}
