import { changed } from './chain.js';
import { frozenFront, rangeError, typeError } from './errors.js';
import { chainOf, checkEvbuffer, type Evbuffer } from './evbuffer.js';
import { decodeNumber, encodeNumber, type NumberFormat, type NumberOf, numberBytes } from './numbers.js';
import { overwrite } from './overwrite.js';
import { type EvbufferIndex, findIndex, foundBase, foundNode } from './place.js';

/** Throws ERR_EVBUFFER_FROZEN_FRONT as the methods of `Evbuffer` that take from the front do. */
export function checkTakable(buffer: Evbuffer): void {
  checkEvbuffer(buffer, 'buffer');
  if (buffer.length > 0 && buffer.isFrozen('front')) throw frozenFront();
}

/**
 * Takes a number off the front; null while not all of its bytes have arrived. Formats: `u8`, `i8`; `u16be`, `i32le` and
 * so on with 16, 24, 32, 40 or 48 bits; `u64be`, `i64le` and so on as bigints; `f32be` … `f64le`; unsigned LEB128 as
 * `varint` (up to 2⁵³ − 1) or `varint64` (a bigint). Release callbacks and watchers run before it returns.
 * Throws ERR_EVBUFFER_FROZEN_FRONT unless empty, ERR_EVBUFFER_MALFORMED_VARINT, ERR_EVBUFFER_INVALID_ARGUMENT for an
 * unknown format; ERR_EVBUFFER_DETACHED, ERR_EVBUFFER_SHARED, ERR_EVBUFFER_FILE_READ or ERR_EVBUFFER_FILE_SHRANK for bytes
 * that cannot be read. Nothing has been taken then.
 */
export function readNumber<F extends NumberFormat>(buffer: Evbuffer, format: F): NumberOf<F> | null {
  checkTakable(buffer);
  const chain = chainOf(buffer);
  const value = decodeNumber(chain, chain.head, 0, 0, format);
  if (value !== null) buffer.drain(numberBytes);
  return value as NumberOf<F> | null;
}

/**
 * The number at a position, which stays in the buffer; null when not all of its bytes are there. Works on a frozen buffer;
 * no notification. Throws ERR_EVBUFFER_OUT_OF_RANGE for a position beyond the end, ERR_EVBUFFER_STALE_POSITION, and as
 * `readNumber`, but for the freeze.
 */
export function getNumber<F extends NumberFormat>(
  buffer: Evbuffer,
  where: EvbufferIndex,
  format: F,
): NumberOf<F> | null {
  checkEvbuffer(buffer, 'buffer');
  const chain = chainOf(buffer);
  const index = findIndex(chain, where, 'where');
  return decodeNumber(chain, foundNode, foundBase, index, format) as NumberOf<F> | null;
}

/**
 * Appends a number. Watchers run before it returns. Throws ERR_EVBUFFER_OUT_OF_RANGE when it does not fit into the format
 * (for `f32be` and `f32le`: finite values that would become infinite), ERR_EVBUFFER_INVALID_ARGUMENT for an unknown format
 * and for a bigint where a number belongs and the other way round, ERR_EVBUFFER_FROZEN_BACK.
 */
export function addNumber<F extends NumberFormat>(buffer: Evbuffer, format: F, value: NumberOf<F>): void {
  checkEvbuffer(buffer, 'buffer');
  buffer.add(encodeNumber(format, value));
}

/** Puts a number before the first byte; otherwise like `addNumber`, with ERR_EVBUFFER_FROZEN_FRONT for the other end. */
export function prependNumber<F extends NumberFormat>(buffer: Evbuffer, format: F, value: NumberOf<F>): void {
  checkEvbuffer(buffer, 'buffer');
  buffer.prepend(encodeNumber(format, value));
}

/**
 * Overwrites the bytes at a position with a number of a fixed size, for example a length that is known now. Memory that
 * others see (added by reference, shared) is replaced by a copy, as much as is overwritten; what no buffer holds any more
 * is released before it returns. Works on a frozen buffer; no notification.
 * Throws as `addNumber`, but for the freeze; ERR_EVBUFFER_OUT_OF_RANGE when it would reach beyond the end;
 * ERR_EVBUFFER_INVALID_ARGUMENT for a `varint`, ERR_EVBUFFER_STALE_POSITION, ERR_EVBUFFER_PINNED; for bytes that cannot be
 * read as `readNumber`. No byte has been changed then.
 */
export function setNumber<F extends NumberFormat>(
  buffer: Evbuffer,
  where: EvbufferIndex,
  format: F,
  value: NumberOf<F>,
): void {
  checkEvbuffer(buffer, 'buffer');
  const chain = chainOf(buffer);
  const bytes = encodeNumber(format, value);
  if (format.startsWith('varint')) throw typeError('a variable-length integer cannot be overwritten in place');
  const index = findIndex(chain, where, 'where');
  if (bytes.length > chain.length - index) throw rangeError(`${bytes.length} bytes at ${index} go beyond the end`);
  changed(chain);
  overwrite(chain, foundNode, foundBase, index, bytes);
}
