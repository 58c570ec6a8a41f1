import { rangeError, typeError } from './errors.js';
import { isBytes } from './platform.js';

export function checkType(value: unknown, type: 'number' | 'function', name: string): void {
  if (typeof value !== type) throw typeError(`${name} must be a ${type}`);
}

/**
 * Checks a count or position: an integer of 0 or more, or Infinity for "all there is". What is refused is explained by a
 * function of its own here and below: checks are short, so that V8 inlines them and what they guard.
 */
export function checkCount(value: number, name: string): void {
  if (!(value >= 0) || !(Number.isInteger(value) || value === Infinity)) refuseCount(value, name);
}

function refuseCount(value: number, name: string): never {
  checkType(value, 'number', name);
  throw rangeError(`${name} must be an integer of 0 or more, not ${value}`);
}

/** Checks a count that something has to be allocated for. */
export function checkFinite(value: number, name: string): void {
  checkCount(value, name);
  if (!Number.isSafeInteger(value)) throw rangeError(`${name} must be a safe integer, not ${value}`);
}

export function checkBytes(value: unknown, name: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) checkForeignBytes(value, name);
}

function checkForeignBytes(value: unknown, name: string): void {
  if (!isBytes(value)) throw typeError(`${name} must be a Uint8Array`);
}

/** Checks that start is not beyond the end of `length` bytes; the end itself is a position too. */
export function checkPosition(position: number, length: number, name: string): void {
  checkCount(position, name);
  if (position > length) throw rangeError(`${name} is ${position}, beyond the end of ${length} bytes`);
}
