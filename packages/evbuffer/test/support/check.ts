import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { expect } from 'vitest';

/** Validates a buffer and compares its bytes, as latin1 text. */
export function expectText(buffer: Evbuffer, text: string): void {
  validate(buffer);
  const copy = new Uint8Array(buffer.length);
  buffer.copyOut(copy);
  expect(Buffer.from(copy).toString('latin1')).toBe(text);
}

export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export function text(view: Uint8Array | null): string | null {
  return view === null ? null : Buffer.from(view).toString('latin1');
}

/** A buffer in which each text is a piece of memory of its own. */
export function pieces(...texts: string[]): Evbuffer {
  const buffer = new Evbuffer();
  for (const one of texts) buffer.addReference(bytes(one));
  return buffer;
}

/** Runs `act`, which must throw an error with `code` and leave each buffer with its bytes, pieces and states. */
export function expectRefused(code: string, buffers: readonly Evbuffer[], act: () => unknown): void {
  const picture = (buffer: Evbuffer): unknown => [
    buffer.length,
    buffer.isFrozen('front'),
    buffer.isFrozen('back'),
    buffer.peek().map((view) => Buffer.from(view).toString('latin1')),
  ];
  const before = buffers.map(picture);
  let notifications = 0;
  const watches = buffers.map((buffer) => buffer.watch(() => notifications++));
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  for (const watch of watches) watch.dispose();
  expect(thrown).toBeInstanceOf(Error);
  expect((thrown as { code?: string }).code).toBe(code);
  expect(buffers.map(picture)).toEqual(before);
  expect(notifications).toBe(0);
  for (const buffer of buffers) validate(buffer);
}
