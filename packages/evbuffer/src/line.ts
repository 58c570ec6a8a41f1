import type { Chain } from './chain.js';
import { typeError } from './errors.js';
import { checkAttached } from './node.js';
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
let terminatorBytes = 0;

export function lastTerminatorBytes(): number {
  return terminatorBytes;
}

/** The byte at `position`, which must be inside. */
function byteAt(chain: Chain, position: number): number {
  let node = chain.head;
  while (node !== null && position >= node.end - node.start) {
    position -= node.end - node.start;
    node = node.next;
  }
  return node === null ? -1 : (node.memory[node.start + position] as number);
}

/** Position of the first CR or LF at or after `from`, with the whole run of them measured. */
function findRun(chain: Chain, from: number): number {
  let base = 0;
  let found = -1;
  for (let node = chain.head; node !== null; node = node.next) {
    const size = node.end - node.start;
    if (from < base + size) {
      checkAttached(node);
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
    base += size;
  }
  return found;
}

/** Position of the first terminator at or after `from`, or −1; `lastTerminatorBytes()` tells its length. */
export function findEol(chain: Chain, style: EolStyle, from: number): number {
  switch (style) {
    case 'crlf': {
      const at = findByte(chain, LF, from, chain.length);
      // A search that starts on the LF of a CRLF does not back up before its start.
      const withCr = at > from && byteAt(chain, at - 1) === CR;
      terminatorBytes = withCr ? 2 : 1;
      return withCr ? at - 1 : at;
    }
    case 'lf':
      terminatorBytes = 1;
      return findByte(chain, LF, from, chain.length);
    case 'nul':
      terminatorBytes = 1;
      return findByte(chain, 0, from, chain.length);
    case 'crlf-strict':
      terminatorBytes = 2;
      return findBytes(chain, CRLF, from, chain.length);
    case 'any':
      return findRun(chain, from);
    default:
      throw typeError(`unknown line end style ${String(style)}`);
  }
}
