import { checkCount } from './arguments.js';
import { copyOf } from './chain.js';
import { chainOf, checkEvbuffer, type Evbuffer } from './evbuffer.js';
import { checkStyle, type EolStyle, findEol, terminatorBytes } from './line.js';
import { textAt } from './line-reader.js';
import { bytesIn } from './memory.js';
import { decodeNumber, type NumberFormat, type NumberOf, numberBytes } from './numbers.js';
import { foundBase, foundNode, Place } from './place.js';
import { findBytes } from './search.js';
import { bytesOf, checkEncoding, type EvbufferEncoding } from './text.js';

/**
 * A cursor that reads ahead in a buffer without consuming anything: parse what is there, then `commit()` what was
 * complete, or `rollback()` and try again when more has arrived. Every read that finds too few bytes returns null (or
 * false) and does not move; so does every read that throws. Copies what it returns.
 *
 * Appending to the buffer meanwhile is fine. When anyone else takes bytes from its front or puts some there, every
 * further read and `commit` throws ERR_EVBUFFER_STALE_POSITION, until `rollback`. Never changes the buffer but in
 * `commit`, so freezes and watchers do not matter to reading. Bytes of a file are read as by the methods of `Evbuffer`.
 * What looks at bytes that cannot be read throws ERR_EVBUFFER_DETACHED, ERR_EVBUFFER_SHARED, ERR_EVBUFFER_FILE_READ or
 * ERR_EVBUFFER_FILE_SHRANK ("unreadable" below); `skip` passes them.
 */
export class EvbufferReader {
  readonly buffer: Evbuffer;
  readonly #place: Place;

  /** Starts at the front. Throws ERR_EVBUFFER_INVALID_ARGUMENT for what is no `Evbuffer`. */
  constructor(buffer: Evbuffer) {
    checkEvbuffer(buffer, 'buffer');
    this.buffer = buffer;
    this.#place = new Place(chainOf(buffer), 0);
  }

  /** Bytes read since the last `commit` or `rollback`. Never throws. */
  get offset(): number {
    return this.#place.index;
  }

  /** Bytes of the buffer that were not read yet. Throws ERR_EVBUFFER_STALE_POSITION. */
  get remaining(): number {
    this.#place.checkFresh();
    return this.buffer.length - this.#place.index;
  }

  /**
   * Reads a number; looks at no byte behind it. Throws ERR_EVBUFFER_MALFORMED_VARINT, ERR_EVBUFFER_INVALID_ARGUMENT for an
   * unknown format, ERR_EVBUFFER_STALE_POSITION, unreadable.
   */
  readNumber<F extends NumberFormat>(format: F): NumberOf<F> | null {
    const place = this.#place;
    place.find();
    const value = decodeNumber(place.chain, foundNode, foundBase, place.index, format);
    if (value !== null) place.index += numberBytes;
    return value as NumberOf<F> | null;
  }

  /**
   * Reads `bytes` bytes into memory of the caller's own. Throws ERR_EVBUFFER_OUT_OF_RANGE for a negative or broken number,
   * ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_TOO_LARGE, ERR_EVBUFFER_STALE_POSITION, unreadable.
   */
  readBytes(bytes: number): Uint8Array | null {
    checkCount(bytes, 'bytes');
    const place = this.#place;
    place.find();
    if (bytes > place.chain.length - place.index) return null;
    const copy = copyOf(foundNode, place.index - foundBase, bytes);
    place.index += bytes;
    return copy;
  }

  /**
   * Reads `bytes` bytes as text. A character that is cut at the end gives U+FFFD. Throws as `readBytes`, and
   * ERR_EVBUFFER_UNKNOWN_ENCODING.
   */
  readText(bytes: number, encoding: EvbufferEncoding = 'utf8'): string | null {
    checkCount(bytes, 'bytes');
    checkEncoding(encoding);
    const place = this.#place;
    place.find();
    if (bytes > place.chain.length - place.index) return null;
    const text = textAt(foundNode, foundBase, place.index, bytes, encoding);
    place.index += bytes;
    return text;
  }

  /**
   * Reads a line as text and passes its terminator, as `Evbuffer.readLine` does. Throws ERR_EVBUFFER_INVALID_ARGUMENT for an
   * unknown style, ERR_EVBUFFER_UNKNOWN_ENCODING, ERR_EVBUFFER_TOO_LARGE, ERR_EVBUFFER_STALE_POSITION, unreadable.
   */
  readLine(style: EolStyle = 'crlf', encoding: EvbufferEncoding = 'utf8'): string | null {
    checkStyle(style);
    checkEncoding(encoding);
    const place = this.#place;
    const { chain, index } = place;
    place.find();
    const node = foundNode;
    const base = foundBase;
    const eol = findEol(chain, style, node, base, index, index);
    if (eol < 0) return null;
    const read = eol + terminatorBytes;
    const text = textAt(node, base, index, eol - index, encoding);
    place.index = read;
    return text;
  }

  /**
   * Passes `bytes` bytes without looking at them; false when there are fewer. Throws ERR_EVBUFFER_OUT_OF_RANGE for a
   * negative or broken number, ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_STALE_POSITION.
   */
  skip(bytes: number): boolean {
    checkCount(bytes, 'bytes');
    if (bytes > this.remaining) return false;
    this.#place.index += bytes;
    return true;
  }

  /**
   * How many bytes ahead the first match of `needle` (bytes, or a utf8 string) begins, or −1. Does not move, copies
   * nothing. Throws ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_STALE_POSITION, unreadable.
   */
  indexOf(needle: Uint8Array | string): number {
    const bytes = bytesOf(needle, 'utf8', 'needle');
    const place = this.#place;
    const { chain, index } = place;
    place.find();
    if (bytesIn(bytes) === 0) return 0;
    const found = findBytes(chain, foundNode, foundBase, bytes, index, chain.length);
    return found < 0 ? -1 : found - index;
  }

  /**
   * Drains what was read and returns how many bytes that were; goes on from the new front. Release callbacks and watchers
   * of the buffer run before it returns; an exception of theirs comes when the bytes have left.
   * Throws ERR_EVBUFFER_FROZEN_FRONT (unless nothing was read), ERR_EVBUFFER_STALE_POSITION; nothing is drained then.
   */
  commit(): number {
    const place = this.#place;
    place.checkFresh();
    try {
      return place.index === 0 ? 0 : this.buffer.drain(place.index);
    } finally {
      // A watcher's exception arrives after the bytes have left.
      if (place.stale) place.reset();
    }
  }

  /** Goes back to the front of the buffer, as it is now. Never throws. */
  rollback(): void {
    this.#place.reset();
  }
}
