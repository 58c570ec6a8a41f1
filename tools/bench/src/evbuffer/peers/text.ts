import { Buffer } from 'node:buffer';
import type { TextEncodingName } from '../works.js';

/** What `Buffer.prototype.toString` calls once it has found out which encoding is meant. */
interface Slices {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  latin1Slice(this: Uint8Array, start: number, end: number): string;
}

const { utf8Slice, latin1Slice } = Buffer.prototype as unknown as Slices;

/** bytes[start, end) as text, in the fastest way that Node has: no peer shall lose by how its text is made. */
export function textOf(bytes: Uint8Array, start: number, end: number, encoding: TextEncodingName): string {
  return encoding === 'utf8' ? utf8Slice.call(bytes, start, end) : latin1Slice.call(bytes, start, end);
}
