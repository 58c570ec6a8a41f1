import { isIP } from 'node:net';
import {
  type Address,
  type CancellableOperation,
  type IpAddress,
  type ListenOptions,
  Operation,
  type Segment,
  type StreamOptions,
} from './contract.js';
import { argumentRangeError, argumentTypeError } from './errors.js';
import type { BackendSupports } from './supports.js';

/** Throws unless `value` is an integer from `min` to `max`. */
export function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  if (typeof value !== 'number') throw argumentTypeError(name, 'a number', value);
  throw argumentRangeError(name, `an integer from ${min} to ${max}`, value);
}

/** Throws `TypeError`/`RangeError` unless `address` is a numeric address or a path (C14). */
export function checkAddress(name: string, address: Address): void {
  if (typeof address !== 'object' || address === null || (!('ip' in address) && !('path' in address))) {
    throw argumentTypeError(name, 'an { ip, port } or a { path }', address);
  }
  if (!('path' in address)) return checkIpAddress(name, address);
  const { path } = address;
  if (typeof path !== 'string' || path === '' || path.includes('\0', 1)) {
    throw argumentTypeError(`${name}.path`, 'a non-empty string without NUL bytes after the first place', path);
  }
}

/** As {@link checkAddress}, for the places where no path may stand. */
export function checkIpAddress(name: string, address: IpAddress): void {
  if (typeof address !== 'object' || address === null || typeof address.ip !== 'string' || isIP(address.ip) === 0) {
    throw argumentTypeError(`${name}.ip`, 'a numeric IPv4 or IPv6 address', address?.ip);
  }
  checkInteger(`${name}.port`, address.port, 0, 65_535);
}

/** Throws for options that are malformed, or that an address of this kind can't have. */
export function checkListenOptions(address: Address, options: ListenOptions): void {
  const { backlog, mode } = options;
  if (backlog !== undefined) checkInteger('options.backlog', backlog, 0, 2 ** 31 - 1);
  for (const name of ['ipv6Only', 'reusePort', 'deferAccept'] as const) {
    const value = options[name];
    if (value !== undefined && typeof value !== 'boolean')
      throw argumentTypeError(`options.${name}`, 'a boolean', value);
    if (value === true && name !== 'ipv6Only' && 'path' in address) {
      throw argumentRangeError(`options.${name}`, 'false for a path', value);
    }
  }
  if (mode === undefined) return;
  checkInteger('options.mode', mode, 0, 0o777);
  if (!('path' in address) || address.path.startsWith('\0')) {
    throw argumentRangeError('options.mode', 'left out for what is no file', mode);
  }
}

/** The first option given that `supports` excludes, `null` when there is none. */
export function excludedListenOption(options: ListenOptions, supports: BackendSupports): keyof ListenOptions | null {
  if (options.reusePort === true && !supports.reusePort) return 'reusePort';
  if (options.deferAccept === true && !supports.deferAccept) return 'deferAccept';
  if (options.mode !== undefined && !supports.socketFiles) return 'mode';
  return null;
}

/**
 * Throws unless the first `count` segments lie within their memory and hold at least one byte.
 *
 * @param isSpoilt of which memory a segment may name more than there is; the default is of none
 */
export function checkSegments(
  segments: readonly Segment[],
  count: number,
  isSpoilt?: (memory: Uint8Array) => boolean,
): void {
  if (!Array.isArray(segments)) throw argumentTypeError('segments', 'an array', segments);
  checkInteger('count', count, 0, segments.length);
  let total = 0;
  for (let index = 0; index < count; index++) total += segmentLength(segments[index] as Segment, index, isSpoilt);
  if (total === 0) throw argumentRangeError('segments', 'at least one byte in total', total);
}

/**
 * Whether memory reaches to `end`, a whole number. Asked of its last byte, since V8 of Node 20 and 22 gets `length` wrong:
 * optimised code that has met an array over a resizable `ArrayBuffer` takes detached ordinary ones to be as long as they
 * were. `byteLength` is right, and slow there.
 */
export function reaches(memory: Uint8Array, end: number): boolean {
  return end === 0 || memory[end - 1] !== undefined;
}

/** The names are put together on failure only: this runs for every message. */
function segmentLength(segment: Segment, index: number, isSpoilt?: (memory: Uint8Array) => boolean): number {
  if (typeof segment !== 'object' || segment === null) {
    throw argumentTypeError(`segments[${index}]`, 'a segment', segment);
  }
  const { memory, start, end } = segment;
  if (!(memory instanceof Uint8Array)) throw argumentTypeError(`segments[${index}].memory`, 'a Uint8Array', memory);
  if (!Number.isInteger(end) || end < 0 || (!reaches(memory, end) && !isSpoilt?.(memory))) {
    checkInteger(`segments[${index}].end`, end, 0, memory.byteLength);
  }
  if (!Number.isInteger(start) || start < 0 || start > end) checkInteger(`segments[${index}].start`, start, 0, end);
  return end - start;
}

const cancellable: readonly Operation[] = [
  Operation.accept,
  Operation.connect,
  Operation.recv,
  Operation.send,
  Operation.sendFile,
  Operation.watchPeer,
];

/** Throws unless the operation is one that `cancel` may name. */
export function checkCancellable(operation: CancellableOperation): void {
  if (typeof operation !== 'number') throw argumentTypeError('operation', 'a number', operation);
  if (!cancellable.includes(operation)) throw argumentRangeError('operation', 'a cancellable operation', operation);
}

/** Throws unless `value`, which the caller knows as `label`, suits the stream option `name`. */
export function checkStreamOption(
  name: keyof StreamOptions,
  value: StreamOptions[keyof StreamOptions],
  label = 'value',
): void {
  if (name === 'noDelay') {
    if (typeof value !== 'boolean') throw argumentTypeError(label, 'a boolean', value);
  } else if (name === 'keepAlive') {
    if (value !== false) checkInteger(label, value as number, 0, 2 ** 31 - 1);
  } else checkInteger(label, value as number, 1, 2 ** 31 - 1);
}
