import { isIP } from 'node:net';
import {
  type Address,
  argumentRangeError,
  argumentTypeError,
  type CancellableOperation,
  type IpAddress,
  Operation,
  type Segment,
} from 'bufferevent-backend';

/** Throws unless `value` is an integer from `min` to `max`. */
export function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  if (typeof value !== 'number') throw argumentTypeError(name, 'a number', value);
  throw argumentRangeError(name, `an integer from ${min} to ${max}`, value);
}

/** Throws unless `address` is numeric or a path (C14). */
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

/** Throws unless `address` is a numeric address with a port (C14). */
export function checkIpAddress(name: string, address: IpAddress): void {
  if (typeof address !== 'object' || address === null || typeof address.ip !== 'string' || isIP(address.ip) === 0) {
    throw argumentTypeError(`${name}.ip`, 'a numeric IPv4 or IPv6 address', address?.ip);
  }
  checkInteger(`${name}.port`, address.port, 0, 65_535);
}

/** Throws unless the first `count` segments lie within their memory and hold at least one byte. */
export function checkSegments(segments: readonly Segment[], count: number): void {
  if (!Array.isArray(segments)) throw argumentTypeError('segments', 'an array', segments);
  checkInteger('count', count, 0, segments.length);
  let total = 0;
  for (let index = 0; index < count; index++) total += segmentLength(segments[index] as Segment, index);
  if (total === 0) throw argumentRangeError('segments', 'at least one byte in total', total);
}

/** The names are put together on failure only: this runs for every message. */
function segmentLength(segment: Segment, index: number): number {
  if (typeof segment !== 'object' || segment === null) {
    throw argumentTypeError(`segments[${index}]`, 'a segment', segment);
  }
  const { memory, start, end } = segment;
  if (!(memory instanceof Uint8Array)) throw argumentTypeError(`segments[${index}].memory`, 'a Uint8Array', memory);
  if (!Number.isInteger(end) || end < 0 || end > memory.length) {
    checkInteger(`segments[${index}].end`, end, 0, memory.length);
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

/** Puts together what `node:net` tells in separate fields; `null` when it tells nothing. */
export function ipAddress(ip: string | undefined, port: number | undefined): IpAddress | null {
  return ip === undefined || port === undefined ? null : { ip, port };
}
