/** Misuse of a port. Failures of the mechanism are completions, never one of these. */
export type BackendErrorCode =
  | 'ERR_BACKEND_STALE_HANDLE'
  | 'ERR_BACKEND_STALE_LEASE'
  | 'ERR_BACKEND_BUSY'
  | 'ERR_BACKEND_UNSUPPORTED'
  | 'ERR_BACKEND_CLOSED';

const brand = Symbol.for('bufferevent-backend.BackendError');

/**
 * Thrown by the verbs of a port with nothing submitted. `instanceof` works across copies of this package.
 */
export class BackendError extends Error {
  readonly code: BackendErrorCode;

  constructor(code: BackendErrorCode, message: string) {
    super(message);
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
  }

  override get name(): string {
    return 'BackendError';
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** A `TypeError` with Node's code for an argument of the wrong type. */
export function argumentTypeError(name: string, expected: string, actual: unknown): TypeError {
  const error = new TypeError(`The "${name}" argument must be ${expected}, got ${describe(actual)}`);
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** A `RangeError` with Node's code for a value outside its range. */
export function argumentRangeError(name: string, expected: string, actual: unknown): RangeError {
  const error = new RangeError(`The value of "${name}" must be ${expected}, got ${describe(actual)}`);
  return Object.assign(error, { code: 'ERR_OUT_OF_RANGE' });
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'object';
  return String(value);
}
