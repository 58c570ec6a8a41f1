import { argumentRangeError, argumentTypeError, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import { Evbuffer, isEvbuffer } from 'evbuffer';
import { addNumber, type FrameOptions, type NumberFormat, readFramed, takeFramed } from 'evbuffer/framing';
import { checkObject } from '../arguments.js';
import type { MessageCodec } from './message-codec.js';

export interface LengthPrefixOptions extends FrameOptions {
  /**
   * `bytes`: payloads are copied into arrays of their own, the default. `evbuffer`: they are moved, without copying more
   * than a small piece, and may lie in memory of the system's that returns to it when they are drained or disposed of.
   */
  readonly payload?: 'bytes' | 'evbuffer';
}

/** What can be sent: text as UTF-8 and bytes are copied, an `Evbuffer` is emptied without copying. */
export type Payload = string | Uint8Array | Evbuffer;

/**
 * Messages behind their length in bytes: in any integer format of `evbuffer/framing`, `varint` among them (default
 * `u32be`), which may count itself (`adjust`).
 *
 * Decoding throws as `readFramed` of `evbuffer/framing`: `ERR_EVBUFFER_FRAME_TOO_LARGE` as soon as the prefix announces
 * more than `maxBytes` (default 16 MiB), `ERR_EVBUFFER_MALFORMED_FRAME`, `ERR_EVBUFFER_MALFORMED_VARINT`. Encoding throws
 * `RangeError` for more than `maxBytes`, or than the format can tell. The options are checked at once, with the errors of
 * `evbuffer`.
 */
export function lengthPrefixCodec(
  options?: LengthPrefixOptions & { readonly payload?: 'bytes' },
): MessageCodec<Uint8Array, Payload>;
export function lengthPrefixCodec(
  options: LengthPrefixOptions & { readonly payload: 'evbuffer' },
): MessageCodec<Evbuffer, Payload>;
export function lengthPrefixCodec(options: LengthPrefixOptions = {}): MessageCodec<Uint8Array | Evbuffer, Payload> {
  checkObject('options', options);
  checkOptionNames('options', options, optionNames);
  const { payload = 'bytes', ...frame } = options;
  if (payload !== 'bytes' && payload !== 'evbuffer') {
    throw argumentTypeError('payload', "'bytes' or 'evbuffer'", payload);
  }
  readFramed(new Evbuffer(), frame);
  return new LengthPrefixCodec<Uint8Array | Evbuffer>(frame, payload === 'bytes' ? readFramed : takeFramed);
}

const optionNames: OptionNames<LengthPrefixOptions> = { payload: true, format: true, adjust: true, maxBytes: true };

const DEFAULT_MAX_BYTES: number = 16 * 1024 * 1024;
const MAX_PREFIX_BYTES = 10;

class LengthPrefixCodec<Received extends Uint8Array | Evbuffer> implements MessageCodec<Received, Payload> {
  readonly maxEncodedBytes: number;
  readonly #options: FrameOptions;
  readonly #format: NumberFormat;
  readonly #maxBytes: number;
  readonly #take: (source: Evbuffer, options: FrameOptions) => Received | null;

  constructor(options: FrameOptions, take: (source: Evbuffer, options: FrameOptions) => Received | null) {
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#options = { ...options, maxBytes: this.#maxBytes };
    this.#format = options.format ?? 'u32be';
    this.#take = take;
    this.maxEncodedBytes = this.#maxBytes + MAX_PREFIX_BYTES;
  }

  decode(source: Evbuffer): Received | null {
    return this.#take(source, this.#options);
  }

  encode(message: Payload, target: Evbuffer): void {
    const moved = isEvbuffer(message);
    if (!moved && typeof message !== 'string' && !(message instanceof Uint8Array)) {
      throw argumentTypeError('message', 'a string, a Uint8Array or an Evbuffer', message);
    }
    const bytes = typeof message === 'string' ? Buffer.byteLength(message) : message.length;
    if (bytes > this.#maxBytes) throw argumentRangeError('message', `at most ${this.#maxBytes} bytes`, bytes);
    const value = bytes - (this.#options.adjust ?? 0);
    addNumber<NumberFormat>(target, this.#format, isBig(this.#format) ? BigInt(value) : value);
    if (moved) target.addBuffer(message);
    else target.add(message);
  }
}

function isBig(format: NumberFormat): boolean {
  return format.includes('64') && !format.startsWith('f');
}
