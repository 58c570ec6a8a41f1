import type { TimeoutName } from './events.js';

/** Why a call was refused, or a connection given up, by this layer. Failures of the system keep Node's own codes. */
export type BuffereventErrorCode =
  | 'ERR_BUFFEREVENT_FREED'
  | 'ERR_BUFFEREVENT_WRITE_AFTER_END'
  | 'ERR_BUFFEREVENT_OUTPUT_LIMIT'
  | 'ERR_BUFFEREVENT_READ_LIMIT'
  | 'ERR_BUFFEREVENT_LINE_LIMIT'
  | 'ERR_BUFFEREVENT_UNEXPECTED_END'
  | 'ERR_BUFFEREVENT_TIMEOUT'
  | 'ERR_BUFFEREVENT_ALREADY_CONNECTED'
  | 'ERR_BUFFEREVENT_UNSUPPORTED'
  | 'ERR_BUFFEREVENT_CLOSED'
  | 'ERR_BUFFEREVENT_COVERED'
  | 'ERR_BUFFEREVENT_LAYER_LIMIT'
  | 'ERR_BUFFEREVENT_MALFORMED_INPUT'
  | 'ERR_BUFFEREVENT_SURPLUS_INPUT';

const brand = Symbol.for('bufferevent.BuffereventError');

/** `instanceof` works across copies of this package. The table of codes stands in `docs/error-codes.md`. */
export class BuffereventError extends Error {
  readonly code: BuffereventErrorCode;

  constructor(code: BuffereventErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
  }

  override get name(): string {
    return 'BuffereventError';
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** A time-out of one named activity. */
export class BuffereventTimeoutError extends BuffereventError {
  readonly timeout: TimeoutName;
  readonly timeoutMs: number;

  constructor(timeout: TimeoutName, timeoutMs: number) {
    super('ERR_BUFFEREVENT_TIMEOUT', `${timeout} timed out after ${timeoutMs} ms`);
    this.timeout = timeout;
    this.timeoutMs = timeoutMs;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof BuffereventError && value.code === 'ERR_BUFFEREVENT_TIMEOUT';
  }
}

/** @internal */
export function freedError(): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_FREED', 'the bufferevent was freed');
}

/** @internal */
export function disposedError(): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'the event base was disposed of');
}

/** @internal */
export function heldTooMuchError(bytes: number): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_LAYER_LIMIT', `a layer needs more than ${bytes} bytes to go on`);
}

/** @internal */
export function endedInsideError(what: string): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_UNEXPECTED_END', `the stream ended inside ${what}`);
}
