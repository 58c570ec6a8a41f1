import type { Chain } from './chain.js';
import { type ChainNode, checkAttached } from './node.js';
import { bufferMethods } from './platform.js';

/** Bytes looked at one by one before the native search is worth its call. */
const SCAN_BYTES = 64;

/** Offset of `byte` in memory[from, to), or −1. Never looks at memory from `to` on. */
export function findByteIn(memory: Uint8Array, byte: number, from: number, to: number): number {
  const scanned = Math.min(to, from + SCAN_BYTES);
  for (let i = from; i < scanned; i++) if (memory[i] === byte) return i;
  if (scanned === to) return -1;
  const found = memory.subarray(scanned, to).indexOf(byte);
  return found < 0 ? -1 : scanned + found;
}

/** Position of the first `byte` in [from, to), or −1. */
export function findByte(chain: Chain, byte: number, from: number, to: number): number {
  let base = 0;
  for (let node = chain.head; node !== null && base < to; node = node.next) {
    const size = node.end - node.start;
    if (from < base + size) {
      checkAttached(node);
      const start = node.start + Math.max(0, from - base);
      const end = Math.min(node.end, node.start + to - base);
      const found = findByteIn(node.memory, byte, start, end);
      if (found >= 0) return base + found - node.start;
    }
    base += size;
  }
  return -1;
}

/** Whether `needle` stands at `offset` of the node's memory, going on in the nodes behind it. */
function matchesAt(node: ChainNode, offset: number, needle: Uint8Array): boolean {
  let current: ChainNode | null = node;
  let at = offset;
  for (let i = 0; i < needle.length; i++) {
    while (current !== null && at === current.end) {
      current = current.next;
      if (current !== null) {
        checkAttached(current);
        at = current.start;
      }
    }
    if (current === null || current.memory[at] !== needle[i]) return false;
    at++;
  }
  return true;
}

/** Offset in memory[from, to) at which all of `needle` stands, or −1. */
function findIn(memory: Uint8Array, needle: Uint8Array, from: number, to: number): number {
  if (to - from < needle.length) return -1;
  if (bufferMethods !== undefined) {
    const whole = from === 0 && to === memory.length;
    const found = bufferMethods.indexOf.call(whole ? memory : memory.subarray(from, to), needle, 0);
    return found < 0 ? -1 : from + found;
  }
  const first = needle[0] as number;
  const lastStart = to - needle.length;
  for (
    let at = findByteIn(memory, first, from, lastStart + 1);
    at >= 0;
    at = findByteIn(memory, first, at + 1, lastStart + 1)
  ) {
    let i = 1;
    while (i < needle.length && memory[at + i] === needle[i]) i++;
    if (i === needle.length) return at;
  }
  return -1;
}

/**
 * Position of the first match of a non-empty needle that lies wholly in [from, to), or −1. Each node is searched by
 * itself; only the last needle.length − 1 places of a node, from which a match would reach into the next, are compared
 * byte by byte.
 */
export function findBytes(chain: Chain, needle: Uint8Array, from: number, to: number): number {
  const lastPosition = to - needle.length;
  let base = 0;
  for (let node = chain.head; node !== null && base <= lastPosition; node = node.next) {
    const size = node.end - node.start;
    if (from < base + size) {
      checkAttached(node);
      const start = node.start + Math.max(0, from - base);
      const end = Math.min(node.end, node.start + to - base);
      const inside = findIn(node.memory, needle, start, end);
      if (inside >= 0) return base + inside - node.start;
      const lastStart = Math.min(node.end - 1, node.start + lastPosition - base);
      for (let at = Math.max(start, node.end - needle.length + 1); at <= lastStart; at++) {
        if (node.memory[at] === needle[0] && matchesAt(node, at, needle)) return base + at - node.start;
      }
    }
    base += size;
  }
  return -1;
}
