import { Evbuffer, type FileSource } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { EvbufferReader, readFramed } from 'evbuffer/framing';
import { afterEach, expect, test, vi } from 'vitest';
import { bytes } from './support/check.js';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** As if there were no piece of more than `most` bytes left. */
function limitMemory(most: number): void {
  const Real = Uint8Array;
  vi.stubGlobal(
    'Uint8Array',
    new Proxy(Real, {
      construct(target, words, newTarget) {
        if (typeof words[0] === 'number' && words[0] > most) throw new RangeError('Array buffer allocation failed');
        return Reflect.construct(target, words, newTarget === Uint8Array ? target : newTarget) as object;
      },
    }),
  );
}

const tooLarge: unknown = expect.objectContaining({ name: 'EvbufferError', code: 'ERR_EVBUFFER_TOO_LARGE' });

test('what cannot be allocated for several pieces is refused before the first is added', () => {
  const buffer = Evbuffer.from('x');
  let changes = 0;
  buffer.watch(() => changes++);
  const parts = [bytes('head'), new Uint8Array(200_000)];
  limitMemory(100_000);
  expect(() => buffer.addVector(parts)).toThrow(tooLarge);
  expect(() => buffer.add(parts[1] as Uint8Array)).toThrow(tooLarge);
  expect(() => buffer.prepend(parts[1] as Uint8Array)).toThrow(tooLarge);
  expect(() => buffer.reserve(200_000)).toThrow(tooLarge);
  expect(() => buffer.ensureSpace(200_000)).toThrow(tooLarge);
  validate(buffer);
  expect([changes, buffer.toString()]).toEqual([0, 'x']);
});

test('a cut whose small part cannot be allocated moves nothing', () => {
  const source = new Evbuffer();
  source.addReference(new Uint8Array(2000));
  source.addReference(new Uint8Array(3000));
  const target = new Evbuffer();
  // Memory that an earlier test left in the pool is used up first.
  const hoard = new Evbuffer();
  limitMemory(0);
  expect(() => {
    for (;;) hoard.addVector([bytes('x'.repeat(1024))]);
  }).toThrow(tooLarge);
  for (const cut of [100, 2100]) expect(() => source.moveTo(target, cut)).toThrow(tooLarge);
  vi.unstubAllGlobals();
  validate(source);
  validate(target);
  expect([source.length, target.length]).toEqual([5000, 0]);
  expect(source.moveTo(target, 2100)).toBe(2100);
  validate(source);
  validate(target);
});

/** Much more than fits into memory; nobody gets as far as to read it. */
const endless: FileSource = {
  length: 2 ** 36,
  offset: 0,
  descriptor: -1,
  readSync: () => expect.unreachable(),
  read: () => expect.unreachable(),
  retain: () => undefined,
  release: () => undefined,
};

test('more of a file than fits into one piece of memory is refused with nothing taken', () => {
  const buffer = new Evbuffer();
  buffer.addFileSegment(endless);
  for (const look of [
    () => buffer.remove(),
    () => buffer.toUint8Array(),
    () => buffer.toString(),
    () => buffer.pullup(),
    () => new EvbufferReader(buffer).readBytes(2 ** 36),
    () => new EvbufferReader(buffer).readText(2 ** 36),
  ]) {
    expect(look, String(look)).toThrow(tooLarge);
  }
  expect(buffer.length).toBe(2 ** 36);
  expect(buffer.drain()).toBe(2 ** 36);
  const framed = Evbuffer.from(Uint8Array.of(8, 0, 0, 0, 0));
  framed.addFileSegment(endless);
  expect(() => readFramed(framed, { format: 'u40be', maxBytes: 2 ** 40 })).toThrow(tooLarge);
  expect(framed.length).toBe(2 ** 36 + 5);
});

test('text that is too long for a string is refused, and can be had in parts', { timeout: 30_000 }, () => {
  const buffer = new Evbuffer();
  const piece = new Uint8Array(2 ** 29).fill(65);
  buffer.addReference(piece);
  buffer.add('\n');
  expect(() => buffer.toString()).toThrow(tooLarge);
  expect(() => buffer.toString('hex', 0, 2 ** 28 + 10)).toThrow(tooLarge);
  expect(() => buffer.readLine()).toThrow(tooLarge);
  expect(buffer.length).toBe(2 ** 29 + 1);
  expect(buffer.toString('latin1', 2 ** 29 - 3)).toBe('AAA\n');
});
