import { type Chain, copyOf } from './chain.js';
import { type EolStyle, findEol, terminatorBytes } from './line.js';
import { reaches } from './memory.js';
import { type ChainNode, checkReadable } from './node.js';
import { foundBase, foundNode, Place } from './place.js';
import { decodeText, type EvbufferEncoding } from './text.js';

/**
 * Finding line ends byte by byte and making a string of each line costs a call into native code for each. Where lines
 * follow one another, it is cheaper to make one string of many lines and to cut that. Strings cut from a longer one may
 * keep it in memory, so the longer one has a bound.
 */
const MAX_BLOCK_BYTES = 4096;
const MIN_BLOCK_BYTES = 256;

const LF = 10;
const CR = 13;

/** Whether lines of this kind can be cut from a longer string: their terminator is one character in it, and nothing else. */
function cuttable(style: EolStyle, encoding: EvbufferEncoding | 'bytes'): boolean {
  return (style === 'lf' || style === 'crlf') && (encoding === 'utf8' || encoding === 'latin1');
}

/** Bytes of the last block; as many as characters when each is one byte. Kept here so that reading allocates nothing else. */
let blockBytes = 0;

/** Text of the lines that lie whole in the first `limit` bytes from `start` on, in memory of `node`; '' when there are none. */
function blockAt(node: ChainNode, start: number, limit: number, encoding: EvbufferEncoding): string {
  const { memory } = node;
  if (!reaches(memory, node.end) || node.doubtful) return '';
  let end = Math.min(node.end, start + limit);
  while (end > start && memory[end - 1] !== LF) end--;
  blockBytes = end - start;
  return end === start ? '' : decodeText(memory, start, end, encoding);
}

/** The line that begins at `start` of a text of lines, and ends at `eol`. */
function lineIn(text: string, start: number, eol: number, style: EolStyle): string {
  return text.slice(start, style === 'crlf' && eol > start && text.charCodeAt(eol - 1) === CR ? eol - 1 : eol);
}

/** Text of the `bytes` bytes that begin at `index`, in `node`, before which `base` bytes come, or at its end. */
export function textAt(
  node: ChainNode | null,
  base: number,
  index: number,
  bytes: number,
  encoding: EvbufferEncoding,
): string {
  if (node !== null && node.extent === null) {
    checkReadable(node);
    const start = node.start + index - base;
    if (start + bytes <= node.end) return decodeText(node.memory, start, start + bytes, encoding);
  }
  return decodeText(copyOf(node, index - base, bytes), 0, bytes, encoding);
}

/**
 * What `readLine` and `readLines` remember between two calls, of one buffer: text of lines to come, while nobody else takes bytes or
 * overwrites some; and how far it has searched in vain for the end of a line, while bytes are only appended or moved in
 * memory.
 */
export class LineReader {
  readonly #chain: Chain;
  /** The buffer's epoch after its line was drained; with another one, `#text` is not what stands at the front. */
  #epoch = 0;
  #rewrites = 0;
  /** Lines to come, each with its LF. One byte of the buffer each character, unless it is a single line. */
  #text = '';
  #textBytes = 0;
  #at = 0;
  #style: EolStyle = 'crlf';
  #encoding: EvbufferEncoding | 'bytes' = 'bytes';
  /** How much is made a string of next; 0 when lines are taken singly. */
  #blockBytes = 0;
  /** No terminator of `#style` begins before this place. */
  #searched: Place;
  /** Bytes of the line that the last `next` returned, with its terminator. */
  lineBytes = 0;

  constructor(chain: Chain) {
    this.#chain = chain;
    this.#searched = new Place(chain, 0);
  }

  /** The first line, which is to be drained next (`lineBytes`), or null. */
  next(style: EolStyle, encoding: EvbufferEncoding | 'bytes'): string | Uint8Array | null {
    const chain = this.#chain;
    if (!this.#resume(style) || this.#epoch !== chain.epoch || this.#encoding !== encoding)
      this.#restart(style, encoding);
    this.#epoch = (chain.epoch + 1) | 0;
    if (this.#at >= this.#text.length && this.#blockBytes > 0) this.#readBlock(encoding as EvbufferEncoding);
    if (this.#at < this.#text.length) return this.#cut(style);
    const bytes = this.#find(style);
    if (bytes < 0) return null;
    this.lineBytes = bytes + terminatorBytes;
    return encoding === 'bytes' ? copyOf(chain.head, 0, bytes) : textAt(chain.head, 0, 0, bytes, encoding);
  }

  /** Whether there is a line; searches on from where it was in vain. */
  hasLine(style: EolStyle): boolean {
    if (!this.#resume(style)) this.#restart(style, this.#encoding);
    return this.#find(style) >= 0;
  }

  /** Forgets what was searched in vain where that says nothing any more. Whether lines are looked for as before. */
  #resume(style: EolStyle): boolean {
    const unchanged = this.#rewrites === this.#chain.rewrites && this.#style === style;
    if (!unchanged || this.#searched.stale) this.#searched.reset();
    return unchanged;
  }

  /** Begins with small blocks where they were of no use: others took bytes that had been made a string. */
  #restart(style: EolStyle, encoding: EvbufferEncoding | 'bytes'): void {
    const unlike = this.#style !== style || this.#encoding !== encoding;
    if (unlike || this.#blockBytes === 0 || this.#at < this.#text.length) {
      this.#blockBytes = cuttable(style, encoding) ? MIN_BLOCK_BYTES : 0;
    }
    this.#style = style;
    this.#encoding = encoding;
    this.#rewrites = this.#chain.rewrites;
    this.#text = '';
  }

  #cut(style: EolStyle): string {
    const text = this.#text;
    const start = this.#at;
    const eol = text.indexOf('\n', start);
    const end = eol + 1;
    this.#at = end;
    this.lineBytes = end - start === text.length ? this.#textBytes : end - start;
    if (end === text.length) this.#text = '';
    return lineIn(text, start, eol, style);
  }

  /** Makes a string of the lines that lie whole in the first piece of memory; each time more, as it proves worth while. */
  #readBlock(encoding: EvbufferEncoding): void {
    const { head } = this.#chain;
    // The rest of a line that came in parts is long, or followed by little.
    if (head === null || this.#searched.index > 0) return;
    const text = blockAt(head, head.start, this.#blockBytes, encoding);
    if (text === '') return;
    if (text.length === blockBytes || text.indexOf('\n') === text.length - 1) {
      this.#text = text;
      this.#at = 0;
      this.#textBytes = blockBytes;
      this.#blockBytes = Math.min(MAX_BLOCK_BYTES, 2 * this.#blockBytes);
    } else {
      // Characters of more than one byte: no telling how many bytes a line takes.
      this.#blockBytes = 0;
    }
  }

  #find(style: EolStyle): number {
    const chain = this.#chain;
    let searched = this.#searched;
    searched.find();
    const bytes = findEol(chain, style, foundNode, foundBase, searched.index, 0);
    if (bytes < 0) {
      // A CR at the end may be the first half of a terminator.
      const inVain = style === 'crlf-strict' ? Math.max(0, chain.length - 1) : chain.length;
      searched = searched.advanced(inVain - searched.index);
      searched.find();
      this.#searched = searched;
    }
    return bytes;
  }
}

/** Bytes of all lines, with their terminators, that the last `readBatch` returned. */
export let batchBytes = 0;

/** The complete lines at the front, at most `maxLines`; they are to be drained next (`batchBytes`). */
export function readBatch(chain: Chain, maxLines: number, style: EolStyle, encoding: EvbufferEncoding): string[] {
  const lines: string[] = [];
  let inBlocks = cuttable(style, encoding);
  let node = chain.head;
  let base = 0;
  let bytes = 0;
  while (lines.length < maxLines) {
    while (node !== null && bytes - base >= node.end - node.start) {
      base += node.end - node.start;
      node = node.next;
    }
    const text = inBlocks && node !== null ? blockAt(node, node.start + bytes - base, MAX_BLOCK_BYTES, encoding) : '';
    if (text !== '') {
      const before = lines.length;
      let at = 0;
      while (at < text.length && lines.length < maxLines) {
        const eol = text.indexOf('\n', at);
        lines.push(lineIn(text, at, eol, style));
        at = eol + 1;
      }
      if (at === text.length || text.length === blockBytes) {
        bytes += at === text.length ? blockBytes : at;
        continue;
      }
      // Characters of more than one byte, and more lines than wanted: where the last one ends is found line by line.
      lines.length = before;
      inBlocks = false;
    }
    const eol = findEol(chain, style, node, base, bytes, bytes);
    if (eol < 0) break;
    lines.push(textAt(node, base, bytes, eol - bytes, encoding));
    bytes = eol + terminatorBytes;
  }
  batchBytes = bytes;
  return lines;
}
