import { defineHidden, hasBrand } from './platform.js';

/** Why an operation on a buffer was refused at run time. The buffer is unchanged whenever one of these is thrown. */
export type EvbufferErrorCode =
  | 'ERR_EVBUFFER_FROZEN_FRONT'
  | 'ERR_EVBUFFER_FROZEN_BACK'
  | 'ERR_EVBUFFER_PINNED'
  | 'ERR_EVBUFFER_DETACHED'
  | 'ERR_EVBUFFER_SHARED'
  | 'ERR_EVBUFFER_STALE_RESERVATION'
  | 'ERR_EVBUFFER_STALE_ITERATION'
  | 'ERR_EVBUFFER_STALE_POSITION'
  | 'ERR_EVBUFFER_MALFORMED_VARINT'
  | 'ERR_EVBUFFER_MALFORMED_FRAME'
  | 'ERR_EVBUFFER_FRAME_TOO_LARGE'
  | 'ERR_EVBUFFER_FILE_SHRANK'
  | 'ERR_EVBUFFER_FILE_READ'
  | 'ERR_EVBUFFER_TOO_LARGE'
  | 'ERR_EVBUFFER_INVALID_STATE'
  | 'ERR_EVBUFFER_UNSUPPORTED';

/** Codes carried by the `TypeError` or `RangeError` that reports a mistake in the caller's arguments. */
export type EvbufferArgumentErrorCode =
  | 'ERR_EVBUFFER_INVALID_ARGUMENT'
  | 'ERR_EVBUFFER_OUT_OF_RANGE'
  | 'ERR_EVBUFFER_UNKNOWN_ENCODING';

const BRAND = Symbol.for('evbuffer.EvbufferError');

/**
 * A refusal that depends on the state of the buffer rather than on the arguments. `code` says which one.
 * `instanceof` works across copies of this package: it looks for a registered symbol, not at the prototype chain.
 */
export class EvbufferError extends Error {
  readonly code: EvbufferErrorCode;

  constructor(code: EvbufferErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  override get name(): string {
    return 'EvbufferError';
  }

  static {
    defineHidden(EvbufferError.prototype, BRAND, true);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasBrand(value, BRAND);
  }
}

/** A `TypeError` with a code, for an argument of the wrong kind. */
export function typeError(
  message: string,
  code: EvbufferArgumentErrorCode = 'ERR_EVBUFFER_INVALID_ARGUMENT',
): TypeError & { code: EvbufferArgumentErrorCode } {
  return Object.assign(new TypeError(message), { code });
}

/** A `RangeError` with a code, for a number that no buffer in this state could accept. */
export function rangeError(message: string): RangeError & { code: EvbufferArgumentErrorCode } {
  return Object.assign(new RangeError(message), { code: 'ERR_EVBUFFER_OUT_OF_RANGE' as const });
}

export function frozenFront(): EvbufferError {
  return new EvbufferError('ERR_EVBUFFER_FROZEN_FRONT', 'the front is frozen');
}

export function pinned(what = 'pinned bytes cannot be moved'): EvbufferError {
  return new EvbufferError('ERR_EVBUFFER_PINNED', what);
}

export function detached(): EvbufferError {
  return new EvbufferError('ERR_EVBUFFER_DETACHED', 'memory was detached or shrunk; only drain() passes it');
}
