import type { Chain } from './chain.js';
import { typeError } from './errors.js';
import { makeReadable } from './file-node.js';
import type { ChainNode } from './node.js';
import { findByte, findBytes } from './search.js';

/**
 * What ends a line (BU-2):
 * `any`, a run of CR and LF of any length; `crlf`, LF with or without a CR before it; `crlf-strict`, exactly CR LF;
 * `lf`, LF alone; `nul`, a zero byte.
 */
export type EolStyle = 'any' | 'crlf' | 'crlf-strict' | 'lf' | 'nul';

/** Where a line ends: the position of its terminator, and how many bytes that takes. */
export interface EolMatch {
  readonly index: number;
  readonly length: number;
}

const CR = 13;
const LF = 10;
const CRLF = Uint8Array.of(CR, LF);

/** Length in bytes of the terminator that the last `findEol` found. Kept here so that a search allocates nothing. */
export let terminatorBytes = 0;

const STYLES: readonly EolStyle[] = ['any', 'crlf', 'crlf-strict', 'lf', 'nul'];

/** Throws for what is no line end style. */
export function checkStyle(style: EolStyle): void {
  if (style !== 'crlf' && !STYLES.includes(style)) throw typeError(`unknown line end style ${String(style)}`);
}

/** Whether the byte at `position` is a CR. */
function isCr(chain: Chain, node: ChainNode | null, base: number, position: number): boolean {
  // The search began behind it: this byte is only found from the front.
  if (position < base) {
    node = chain.head;
    base = 0;
  }
  while (node !== null && position >= base + node.end - node.start) {
    base += node.end - node.start;
    node = node.next;
  }
  return node !== null && node.memory[node.start + position - base] === CR;
}

/** Position of the first CR or LF at or after `from`, with the whole run of them measured. */
function findRun(chain: Chain, node: ChainNode | null, base: number, from: number): number {
  let found = -1;
  for (; node !== null; node = node.next) {
    if (from < base + node.end - node.start && makeReadable(chain, node, from - base)) {
      for (let at = node.start + Math.max(0, from - base); at < node.end; at++) {
        const byte = node.memory[at];
        const terminates = byte === CR || byte === LF;
        if (found < 0) {
          if (!terminates) continue;
          found = base + at - node.start;
          terminatorBytes = 0;
        } else if (!terminates) {
          return found;
        }
        terminatorBytes++;
      }
    }
    base += node.end - node.start;
  }
  return found;
}

/**
 * Position of the first terminator of a (checked) style at or after `from`, or −1; `terminatorBytes` is its length. The
 * search starts at `node`, before which `base` bytes (at most `from`) come. A match does not reach back before `start`,
 * which is `from` unless the bytes between them were searched before, in vain.
 */
export function findEol(
  chain: Chain,
  style: EolStyle,
  node: ChainNode | null,
  base: number,
  from: number,
  start: number,
): number {
  if (style === 'any') return findRun(chain, node, base, from);
  if (style === 'crlf-strict') {
    terminatorBytes = 2;
    return findBytes(chain, node, base, CRLF, from, chain.length);
  }
  const at = findByte(chain, node, base, style === 'nul' ? 0 : LF, from, chain.length);
  const withCr = style === 'crlf' && at > start && isCr(chain, node, base, at - 1);
  terminatorBytes = withCr ? 2 : 1;
  return withCr ? at - 1 : at;
}
