import { checkOptionNames } from 'bufferevent-backend';
import { checkLimit, checkObject } from './arguments.js';

/** Bounds that hold unless a user changes them. Bytes, and milliseconds; `Infinity` lifts a byte limit, 0 a time-out. */
export interface Limits {
  /** Reading stops while `input` holds this much. */
  readonly inputHighWatermark: number;
  /** The most that one `read(n)` may wait for. */
  readonly readMaxBytes: number;
  /** The longest line that `readLine()` waits for. */
  readonly lineMaxBytes: number;
  /** `write()` returns false above this much in `output`. */
  readonly outputHighWatermark: number;
  /** `write()` refuses, and the connection is given up, above this much memory in `output`; bytes in files do not count. */
  readonly outputMaxBytes: number;
  readonly connectMs: number;
  /** From the transport being connected to all layers being open. */
  readonly handshakeMs: number;
  /** From the last progress after `end()` to the connection being closed for good. */
  readonly closeMs: number;
  /** What one connection may receive, and hand to the system, in one turn. */
  readonly bytesPerTurn: number;
  /** What of files one connection may have the system send in one turn, where the backend can: nothing is copied for it. */
  readonly fileBytesPerTurn: number;
}

export const defaultLimits: Limits = Object.freeze({
  inputHighWatermark: 256 * 1024,
  readMaxBytes: 16 * 1024 * 1024,
  lineMaxBytes: 64 * 1024,
  outputHighWatermark: 64 * 1024,
  outputMaxBytes: 64 * 1024 * 1024,
  connectMs: 30_000,
  handshakeMs: 30_000,
  closeMs: 10_000,
  bytesPerTurn: 256 * 1024,
  fileBytesPerTurn: 1024 * 1024,
});

/** The defaults with `overrides` laid over them. Throws `RangeError` for values that are no limits. */
export function resolveLimits(overrides: Partial<Limits> = {}): Limits {
  checkObject('limits', overrides);
  checkOptionNames('limits', overrides, defaultLimits);
  const limits = { ...defaultLimits, ...overrides };
  for (const [name, value] of Object.entries(limits)) {
    checkLimit(`limits.${name}`, value, name.endsWith('Ms') ? 0 : 1);
  }
  return Object.freeze(limits);
}
