import type { Chain } from './chain.js';
import { makeReadable } from './file-node.js';
import type { ChainNode } from './node.js';
import { bufferMethods } from './platform.js';

/** Bytes looked at one by one before the native search is worth its call. */
const SCAN_BYTES = 64;

/** The native search has no end: up to this much of what lies behind it is searched in vain before a view pays. */
const MAX_OVERSHOOT_BYTES = 4096;

/** Offset of `byte` in memory[from, to), or −1. What it finds does not depend on memory from `to` on. */
function findByteIn(memory: Uint8Array, byte: number, from: number, to: number): number {
  const scanned = Math.min(to, from + SCAN_BYTES);
  for (let i = from; i < scanned; i++) if (memory[i] === byte) return i;
  return scanned === to ? -1 : findByteNative(memory, byte, scanned, to);
}

function findByteNative(memory: Uint8Array, byte: number, from: number, to: number): number {
  if (bufferMethods === undefined || memory.length - to > MAX_OVERSHOOT_BYTES) {
    const view = memory.subarray(from, to);
    const found = bufferMethods === undefined ? view.indexOf(byte) : bufferMethods.indexOf.call(view, byte, 0);
    return found < 0 ? -1 : from + found;
  }
  const found = bufferMethods.indexOf.call(memory, byte, from);
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

/** Offset in memory[from, to) at which all of `needle` stands, or −1, by the native search. */
function findWhole(memory: Uint8Array, needle: Uint8Array, from: number, to: number): number {
  const { indexOf } = bufferMethods as NonNullable<typeof bufferMethods>;
  const skipped = memory.length - to > MAX_OVERSHOOT_BYTES ? from : 0;
  const found = indexOf.call(skipped > 0 ? memory.subarray(from, to) : memory, needle, from - skipped);
  return found < 0 || skipped + found + needle.length > to ? -1 : skipped + found;
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
      const first = start < end ? findByteNative(node.memory, firstByte, start, end) : -1;
      if (first >= 0) {
        const lastStart = Math.min(node.end - 1, node.start + lastPosition - base);
        let at = first;
        if (bufferMethods !== undefined) {
          const inside = findWhole(node.memory, needle, first, end);
          if (inside >= 0) return base + inside - node.start;
          at = Math.max(first, node.end - needle.length + 1);
        }
        for (; at >= 0 && at <= lastStart; at = findByteIn(node.memory, firstByte, at + 1, lastStart + 1)) {
          if (matchesAt(chain, node, at, needle)) return base + at - node.start;
        }
      }
    }
    base += node.end - node.start;
    node = node.next;
  }
  return -1;
}
