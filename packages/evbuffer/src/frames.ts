import { checkCount, checkType } from './arguments.js';
import { type Chain, copyOf } from './chain.js';
import { EvbufferError, rangeError, typeError } from './errors.js';
import { chainOf, type Evbuffer } from './evbuffer.js';
import { checkTakable } from './number-fields.js';
import { decodeNumber, type NumberFormat, numberBytes } from './numbers.js';

/** What a length-prefixed frame looks like. */
export interface FrameOptions {
  /** How the length in front of the payload is written. Default `u32be`. */
  readonly format?: NumberFormat;
  /** Added to that length to get the bytes that follow it: −4 when a 32-bit length counts itself. Default 0. */
  readonly adjust?: number;
  /** Longer payloads are refused. Default 16 MiB. */
  readonly maxBytes?: number;
}

const DEFAULT_MAX_FRAME_BYTES = 2 ** 24;

/** Bytes of the prefix that the last `findFrame` found. */
let prefixBytes = 0;

/** Bytes of the payload of the frame at the front, or −1 while it is not all there. */
function findFrame(chain: Chain, options: FrameOptions): number {
  if (typeof options !== 'object' || options === null) throw typeError('options must be an object');
  const { format = 'u32be', adjust = 0, maxBytes = DEFAULT_MAX_FRAME_BYTES } = options;
  checkType(adjust, 'number', 'adjust');
  if (!Number.isSafeInteger(adjust)) throw rangeError('adjust must be a safe integer');
  checkCount(maxBytes, 'maxBytes');
  const value = decodeNumber(chain, chain.head, 0, 0, format);
  if (value === null) return -1;
  const prefix = numberBytes;
  const bytes = Number(value) + adjust;
  if (!(bytes >= 0) || !Number.isInteger(bytes)) {
    throw new EvbufferError('ERR_EVBUFFER_MALFORMED_FRAME', `a frame of ${bytes} bytes`);
  }
  if (bytes > maxBytes) {
    throw new EvbufferError('ERR_EVBUFFER_FRAME_TOO_LARGE', `a frame of ${bytes} bytes, more than ${maxBytes}`);
  }
  prefixBytes = prefix;
  return chain.length - prefix >= bytes ? bytes : -1;
}

/**
 * Takes a length-prefixed frame off the front and returns a copy of its payload; null until all of it has arrived.
 * The copy is the caller's. Release callbacks and watchers run before it returns, once.
 * Throws ERR_EVBUFFER_FRAME_TOO_LARGE as soon as the prefix announces more than `maxBytes`, ERR_EVBUFFER_MALFORMED_FRAME
 * for a negative payload, ERR_EVBUFFER_MALFORMED_VARINT; ERR_EVBUFFER_FROZEN_FRONT unless empty;
 * ERR_EVBUFFER_DETACHED, ERR_EVBUFFER_SHARED, ERR_EVBUFFER_FILE_READ or ERR_EVBUFFER_FILE_SHRANK for bytes that cannot be
 * read; ERR_EVBUFFER_TOO_LARGE for a payload that cannot be allocated; ERR_EVBUFFER_INVALID_ARGUMENT,
 * ERR_EVBUFFER_OUT_OF_RANGE for wrong options. Nothing has been taken then.
 */
export function readFramed(buffer: Evbuffer, options: FrameOptions = {}): Uint8Array | null {
  checkTakable(buffer);
  const chain = chainOf(buffer);
  const bytes = findFrame(chain, options);
  if (bytes < 0) return null;
  const prefix = prefixBytes;
  const payload = copyOf(chain.head, prefix, bytes);
  buffer.drain(prefix + bytes);
  return payload;
}

/**
 * The same, with the payload moved to a new buffer, as by `Evbuffer.take`: only a small piece at a cut is copied, bytes in
 * files are not read. Throws as `readFramed`, for unreadable bytes only where it looks at them (the prefix, a piece to be
 * cut), and ERR_EVBUFFER_PINNED. When a watcher or a release callback throws, the frame has left the buffer: it is given
 * back to its owners before the exception goes on.
 */
export function takeFramed(buffer: Evbuffer, options: FrameOptions = {}): Evbuffer | null {
  checkTakable(buffer);
  const bytes = findFrame(chainOf(buffer), options);
  if (bytes < 0) return null;
  const prefix = prefixBytes;
  const frame = buffer.take(prefix + bytes);
  try {
    frame.drain(prefix);
  } catch (error) {
    // Of the release callback of the prefix. `take` cares for those of the buffer.
    frame[Symbol.dispose]();
    throw error;
  }
  return frame;
}
