import { checkCount } from './arguments.js';
import type { Chain } from './chain.js';
import { EvbufferError, rangeError, typeError } from './errors.js';
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
export let prefixBytes = 0;

/** Bytes of the payload of the frame at the front, or −1 while it is not all there. */
export function findFrame(chain: Chain, options: FrameOptions): number {
  if (typeof options !== 'object' || options === null) throw typeError('options must be an object');
  const { format = 'u32be', adjust = 0, maxBytes = DEFAULT_MAX_FRAME_BYTES } = options;
  if (typeof adjust !== 'number') throw typeError('adjust must be a number');
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
