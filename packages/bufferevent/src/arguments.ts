import { argumentRangeError, argumentTypeError } from 'bufferevent-backend';
import type { EolStyle } from 'evbuffer';
import type { Direction } from './events.js';
import type { FlushMode, Layer } from './layer.js';

/** Throws `TypeError` unless `value` is an object (functions and `null` are none). */
export function checkObject(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw argumentTypeError(name, 'an object', value);
}

/** Throws `TypeError` for no number, `RangeError` for no integer of at least `least`. */
export function checkInteger(name: string, value: unknown, least: number): void {
  if (typeof value !== 'number') throw argumentTypeError(name, 'a number', value);
  if (!Number.isSafeInteger(value) || value < least) {
    throw argumentRangeError(name, `an integer of at least ${least}`, value);
  }
}

/** As {@link checkInteger}; `Infinity` is welcome too, for no limit. */
export function checkLimit(name: string, value: unknown, least: number): void {
  if (value !== Infinity) checkInteger(name, value, least);
}

/** Throws unless `value` is 0 or a positive number of milliseconds. */
export function checkMilliseconds(name: string, value: unknown): void {
  if (typeof value !== 'number') throw argumentTypeError(name, 'a number of milliseconds', value);
  if (!(value >= 0)) throw argumentRangeError(name, 'at least 0', value);
}

export function checkPort(name: string, value: unknown, least: 0 | 1): void {
  checkInteger(name, value, least);
  if ((value as number) > 65_535) throw argumentRangeError(name, 'at most 65535', value);
}

export function checkDirection(value: unknown): Direction {
  if (value !== 'read' && value !== 'write') throw argumentTypeError('direction', "'read' or 'write'", value);
  return value;
}

export function checkFlushMode(value: unknown): FlushMode {
  if (value !== 'normal' && value !== 'flush' && value !== 'finished') {
    throw argumentTypeError('mode', "'normal', 'flush' or 'finished'", value);
  }
  return value;
}

/** Throws `TypeError` unless `value` has what every {@link Layer} has; as {@link checkMilliseconds} for its time-out. */
export function checkLayer(value: unknown): asserts value is Layer {
  const { name, decode, encode, handshakeMs } = (value ?? {}) as Partial<Layer>;
  const isLayer = typeof name === 'string' && typeof decode === 'function' && typeof encode === 'function';
  if (!isLayer) throw argumentTypeError('layer', 'a Layer', value);
  // As for `TimeoutOptions`, `null` is none.
  if (handshakeMs !== undefined && handshakeMs !== null) checkMilliseconds('layer.handshakeMs', handshakeMs);
}

/** Throws unless `value` is left out or a list of directions. */
export function checkDirections(value: unknown): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw argumentTypeError('enable', 'an array of directions', value);
  value.forEach(checkDirection);
}

/** Throws `TypeError` unless `value` is left out or a boolean. */
export function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw argumentTypeError(name, 'a boolean', value);
}

const lineStyles: readonly unknown[] = ['any', 'crlf', 'crlf-strict', 'lf', 'nul'] satisfies EolStyle[];

export function checkLineStyle(value: unknown): void {
  if (!lineStyles.includes(value)) throw argumentTypeError('style', `one of ${lineStyles.join(', ')}`, value);
}

/** Throws unless `value` is an encoding of text that is read in pieces. */
export function checkEncoding(value: unknown): void {
  if (value !== 'utf8' && value !== 'latin1') throw argumentTypeError('encoding', "'utf8' or 'latin1'", value);
}

/** Throws unless `value` is left out or works like an `AbortSignal`. */
export function checkSignal(value: unknown): void {
  const { aborted, addEventListener, removeEventListener } = (value ?? {}) as Partial<AbortSignal>;
  const listens = typeof addEventListener === 'function' && typeof removeEventListener === 'function';
  if (value === undefined || (typeof aborted === 'boolean' && listens)) return;
  throw argumentTypeError('signal', 'an AbortSignal', value);
}

/** Throws unless each of `names` is left out or a function of `handlers`. */
export function checkHandlers(handlers: unknown, names: readonly string[]): void {
  checkObject('handlers', handlers);
  for (const name of names) {
    const handler = (handlers as Record<string, unknown>)[name];
    if (handler !== undefined && typeof handler !== 'function') {
      throw argumentTypeError(`handlers.${name}`, 'a function', handler);
    }
  }
}

/** The members of {@link BuffereventHandlers}. */
export const connectionHandlers: readonly string[] = ['onRead', 'onWrite', 'onEvent'];

/** Throws for a host with a port that is none; numeric addresses and paths are checked by the port. */
export function checkHostTarget(target: unknown, leastPort: 0 | 1): void {
  checkObject('target', target);
  const { host, port } = target as { host?: unknown; port?: unknown };
  if (host !== undefined || !('ip' in (target as object) || 'path' in (target as object))) {
    if (typeof host !== 'string' || host === '') throw argumentTypeError('target.host', 'a non-empty string', host);
    checkPort('target.port', port, leastPort);
  }
}
