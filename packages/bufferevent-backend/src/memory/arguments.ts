import { type CancellableOperation, Operation, type Segment, type StreamOptions } from '../contract.js';
import { argumentRangeError, argumentTypeError } from '../errors.js';
import type { RegisteredMemory } from './registered-memory.js';

/** Throws unless `value` is an integer from `min` to `max`. */
export function checkInteger(name: string, value: number, min: number, max: number): void {
  if (typeof value !== 'number') throw argumentTypeError(name, 'a number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw argumentRangeError(name, `an integer from ${min} to ${max}`, value);
  }
}

/** Throws unless the first `count` segments lie within their memory and hold at least one byte. */
export function checkSegments(segments: readonly Segment[], count: number, registered: RegisteredMemory): void {
  if (!Array.isArray(segments)) throw argumentTypeError('segments', 'an array', segments);
  checkInteger('count', count, 0, segments.length);
  let total = 0;
  for (let index = 0; index < count; index++) {
    const segment = segments[index] as Segment;
    const name = `segments[${index}]`;
    if (typeof segment !== 'object' || segment === null) throw argumentTypeError(name, 'a segment', segment);
    const { memory, start, end } = segment;
    if (!(memory instanceof Uint8Array)) throw argumentTypeError(`${name}.memory`, 'a Uint8Array', memory);
    // Registered memory that was detached since has length 0: its send fails with EFAULT, it is no caller's mistake.
    const length = registered.isSpoilt(memory) ? Number.MAX_SAFE_INTEGER : memory.length;
    checkInteger(`${name}.end`, end, 0, length);
    checkInteger(`${name}.start`, start, 0, end);
    total += end - start;
  }
  if (total === 0) throw argumentRangeError('segments', 'at least one byte in total', total);
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
