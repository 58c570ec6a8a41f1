import { type Chain, copyFrom } from './chain.js';
import { type EolStyle, findEol, terminatorBytes } from './line.js';
import type { ChainNode } from './node.js';
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
function cuttable(style: EolStyle, encoding: EvbufferEncoding): boolean {
  return (style === 'lf' || style === 'crlf') && (encoding === 'utf8' || encoding === 'latin1');
}

/** Offset behind the last LF in memory[from, to), or `from`. */
function behindLastLf(memory: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && memory[end - 1] !== LF) end--;
  return end;
}

/** Text of the `bytes` bytes that begin at `index`, in or behind `node`, before which `base` bytes come. */
export function textAt(
  node: ChainNode | null,
  base: number,
  index: number,
  bytes: number,
  encoding: EvbufferEncoding,
): string {
  while (node !== null && index - base >= node.end - node.start) {
    base += node.end - node.start;
    node = node.next;
  }
  if (node !== null && node.extent === null) {
    const start = node.start + index - base;
    if (start + bytes <= Math.min(node.end, node.memory.length)) {
      return decodeText(node.memory, start, start + bytes, encoding);
    }
  }
  const copy = new Uint8Array(bytes);
  copyFrom(node, index - base, bytes, copy);
  return decodeText(copy, 0, bytes, encoding);
}

/**
 * What `readLine` remembers between two calls, of one buffer: text of lines to come, while nothing else happens to the
 * buffer; and how far it has searched in vain for the end of a line, while bytes are only appended.
 */
export class LineReader {
  readonly #chain: Chain;
  /** The buffer's version after the last line was taken; with another one, `#text` is not what stands at the front. */
  #version: number;
  /** Lines to come, each with its LF; one byte of the buffer each character. */
  #text = '';
  #at = 0;
  #style: EolStyle = 'crlf';
  #encoding: EvbufferEncoding | 'bytes' = 'bytes';
  #blockBytes = 0;
  /** No terminator of `#soughtStyle` begins before this place. */
  #searched: Place;
  #soughtStyle: EolStyle | null = null;
  /** Bytes of the line that the last `next` returned, with its terminator. */
  lineBytes = 0;

  constructor(chain: Chain) {
    this.#chain = chain;
    this.#version = chain.version - 1;
    this.#searched = new Place(chain, 0);
  }

  /** The first line, which is to be drained next (`lineBytes`), or null. */
  next(style: EolStyle, encoding: EvbufferEncoding | 'bytes'): string | Uint8Array | null {
    const chain = this.#chain;
    const inSequence =
      this.#version === chain.version && this.#style === style && this.#encoding === encoding && encoding !== 'bytes';
    if (inSequence) {
      if (this.#at === this.#text.length) this.#readBlock(style, encoding);
      if (this.#at < this.#text.length) return this.#cut(style);
    } else {
      this.#style = style;
      this.#encoding = encoding;
      this.#text = '';
      this.#at = 0;
      this.#blockBytes = encoding !== 'bytes' && cuttable(style, encoding) ? MIN_BLOCK_BYTES : 0;
    }
    const bytes = this.#find(style);
    if (bytes < 0) return null;
    this.lineBytes = bytes + terminatorBytes;
    this.#version = (chain.version + 1) | 0;
    if (encoding !== 'bytes') return textAt(chain.head, 0, 0, bytes, encoding);
    const copy = new Uint8Array(bytes);
    copyFrom(chain.head, 0, bytes, copy);
    return copy;
  }

  #cut(style: EolStyle): string {
    const text = this.#text;
    const start = this.#at;
    const eol = text.indexOf('\n', start);
    this.#at = eol + 1;
    this.lineBytes = eol + 1 - start;
    this.#version = (this.#chain.version + 1) | 0;
    if (this.#at === text.length) {
      this.#text = '';
      this.#at = 0;
    }
    const end = style === 'crlf' && eol > start && text.charCodeAt(eol - 1) === CR ? eol - 1 : eol;
    return text.slice(start, end);
  }

  /** Makes a string of the lines that lie whole in the first piece of memory; each time more, as it proves worth while. */
  #readBlock(style: EolStyle, encoding: EvbufferEncoding): void {
    this.#text = '';
    this.#at = 0;
    const head = this.#chain.head;
    if (this.#blockBytes === 0 || head === null || head.end > head.memory.length || head.doubtful) return;
    const stop = behindLastLf(head.memory, head.start, Math.min(head.end, head.start + this.#blockBytes));
    if (stop === head.start) return;
    const text = decodeText(head.memory, head.start, stop, encoding);
    // Characters of more than one byte: no telling how many bytes a line takes.
    if (text.length !== stop - head.start || !cuttable(style, encoding)) {
      this.#blockBytes = 0;
      return;
    }
    this.#text = text;
    this.#blockBytes = Math.min(MAX_BLOCK_BYTES, 2 * this.#blockBytes);
  }

  #find(style: EolStyle): number {
    const chain = this.#chain;
    let searched = this.#searched;
    if (this.#soughtStyle !== style || searched.stale) {
      searched.reset();
      this.#soughtStyle = style;
    }
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

/** The lines that `readLines` returns, taken from the front. */
export class LineBatch {
  readonly lines: string[] = [];
  /** Bytes of all lines with their terminators. */
  bytes = 0;
  readonly #chain: Chain;
  readonly #style: EolStyle;
  readonly #encoding: EvbufferEncoding;
  #node: ChainNode | null;
  /** Bytes before `#node`. */
  #base = 0;

  constructor(chain: Chain, maxLines: number, style: EolStyle, encoding: EvbufferEncoding) {
    this.#chain = chain;
    this.#style = style;
    this.#encoding = encoding;
    this.#node = chain.head;
    const inBlocks = cuttable(style, encoding);
    while (this.lines.length < maxLines) {
      if (inBlocks && this.#addBlock(maxLines)) continue;
      if (!this.#addLine()) return;
    }
  }

  /** Goes on to the node that holds the first byte of the next line. */
  #advance(): ChainNode | null {
    while (this.#node !== null && this.bytes - this.#base >= this.#node.end - this.#node.start) {
      this.#base += this.#node.end - this.#node.start;
      this.#node = this.#node.next;
    }
    return this.#node;
  }

  #addLine(): boolean {
    const node = this.#advance();
    const eol = findEol(this.#chain, this.#style, node, this.#base, this.bytes, this.bytes);
    if (eol < 0) return false;
    const bytes = eol + terminatorBytes - this.bytes;
    this.lines.push(textAt(node, this.#base, this.bytes, eol - this.bytes, this.#encoding));
    this.bytes += bytes;
    return true;
  }

  /** Adds the lines that lie whole in the next block of one piece of memory; false when there are none, or too many. */
  #addBlock(maxLines: number): boolean {
    const node = this.#advance();
    if (node === null || node.end > node.memory.length || node.doubtful) return false;
    const start = node.start + this.bytes - this.#base;
    const stop = behindLastLf(node.memory, start, Math.min(node.end, start + MAX_BLOCK_BYTES));
    if (stop === start) return false;
    const text = decodeText(node.memory, start, stop, this.#encoding);
    const stripCr = this.#style === 'crlf';
    const lines = this.lines;
    const before = lines.length;
    let at = 0;
    while (at < text.length) {
      if (lines.length === maxLines) {
        if (text.length === stop - start) break;
        // Characters of more than one byte: where the next line starts is found line by line.
        lines.length = before;
        return false;
      }
      const eol = text.indexOf('\n', at);
      lines.push(text.slice(at, stripCr && eol > at && text.charCodeAt(eol - 1) === CR ? eol - 1 : eol));
      at = eol + 1;
    }
    this.bytes += at === text.length ? stop - start : at;
    return true;
  }
}
