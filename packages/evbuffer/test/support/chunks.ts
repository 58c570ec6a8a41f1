import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import fc from 'fast-check';
import { expect } from 'vitest';

/** Bytes that look random, the same for the same seed. */
export function noise(count: number, seed = 1): Uint8Array {
  const result = new Uint8Array(count);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    result[i] = state;
  }
  return result;
}

/** A buffer that holds `whole` in pieces of these sizes, over and over: every other piece is foreign memory, the rest is copied. */
export function chunked(whole: Uint8Array, sizes: readonly number[]): Evbuffer {
  const buffer = new Evbuffer();
  for (let at = 0, i = 0; at < whole.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? whole.length);
    const part = whole.slice(at, at + size);
    if (i % 2 === 0) buffer.addReference(part);
    else buffer.add(part);
    at += size;
  }
  return buffer;
}

/** A buffer in which each byte is a piece of memory of its own. */
export function bytewise(whole: Uint8Array): Evbuffer {
  const buffer = new Evbuffer();
  for (const byte of whole) buffer.addReference(Uint8Array.of(byte));
  return buffer;
}

/** Sizes of pieces, for `chunked`. */
export const sizesOfPieces: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 40 }), {
  minLength: 1,
  maxLength: 8,
});

/** The bytes of a buffer, which is validated and left as it is. */
export function contents(buffer: Evbuffer): Uint8Array {
  validate(buffer);
  const copy = new Uint8Array(buffer.length);
  expect(buffer.copyOut(copy)).toBe(copy.length);
  validate(buffer);
  return copy;
}

/** Compares without a diff of megabytes. */
export function expectSame(actual: Uint8Array | null, expected: Uint8Array): void {
  expect(actual).not.toBeNull();
  expect((actual as Uint8Array).length).toBe(expected.length);
  expect(Buffer.compare(actual as Uint8Array, expected)).toBe(0);
}

/** Runs `act`, which must throw an error with this code, and returns the error. */
export function expectCode(code: string, act: () => unknown): Error {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Error);
  expect((thrown as { code?: string }).code).toBe(code);
  return thrown as Error;
}

/** How many times a buffer reported a change, and what it reported last. */
export function changesOf(buffer: Evbuffer): { originalLength: number; added: number; removed: number }[] {
  const changes: { originalLength: number; added: number; removed: number }[] = [];
  buffer.watch((_, change) => changes.push({ ...change }));
  return changes;
}
