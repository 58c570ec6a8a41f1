import { type CancellableOperation, Operation, type Segment, type StreamOptions } from './contract.js';
import { argumentRangeError, argumentTypeError } from './errors.js';

/** Throws unless `value` is an integer from `min` to `max`. */
export function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  if (typeof value !== 'number') throw argumentTypeError(name, 'a number', value);
  throw argumentRangeError(name, `an integer from ${min} to ${max}`, value);
}

/**
 * Throws unless the first `count` segments lie within their memory and hold at least one byte.
 *
 * @param lengthOf how much memory a segment may name; the default is its length
 */
export function checkSegments(
  segments: readonly Segment[],
  count: number,
  lengthOf: (memory: Uint8Array) => number = wholeLength,
): void {
  if (!Array.isArray(segments)) throw argumentTypeError('segments', 'an array', segments);
  checkInteger('count', count, 0, segments.length);
  let total = 0;
  for (let index = 0; index < count; index++) total += segmentLength(segments[index] as Segment, index, lengthOf);
  if (total === 0) throw argumentRangeError('segments', 'at least one byte in total', total);
}

function wholeLength(memory: Uint8Array): number {
  return memory.length;
}

/** The names are put together on failure only: this runs for every message. */
function segmentLength(segment: Segment, index: number, lengthOf: (memory: Uint8Array) => number): number {
  if (typeof segment !== 'object' || segment === null) {
    throw argumentTypeError(`segments[${index}]`, 'a segment', segment);
  }
  const { memory, start, end } = segment;
  if (!(memory instanceof Uint8Array)) throw argumentTypeError(`segments[${index}].memory`, 'a Uint8Array', memory);
  const length = lengthOf(memory);
  if (!Number.isInteger(end) || end < 0 || end > length) checkInteger(`segments[${index}].end`, end, 0, length);
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

/** Throws unless `value` suits the stream option `name`. */
export function checkStreamOption(name: keyof StreamOptions, value: StreamOptions[keyof StreamOptions]): void {
  if (name === 'noDelay') {
    if (typeof value !== 'boolean') throw argumentTypeError('value', 'a boolean', value);
  } else if (name === 'keepAlive') {
    if (value !== false) checkInteger('value', value as number, 0, 2 ** 31 - 1);
  } else checkInteger('value', value as number, 1, 2 ** 31 - 1);
}
