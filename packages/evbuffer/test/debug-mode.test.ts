import { Evbuffer, type EvbufferSegment } from 'evbuffer';
import { type DebugMode, enableDebugMode, POISON, validate } from 'evbuffer/debug';
import { setNumber } from 'evbuffer/framing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bytes, pieces } from './support/check.js';

let mode: DebugMode;
beforeEach(() => {
  mode = enableDebugMode();
});
afterEach(() => mode.disable());

test('a view used after the buffer changed is empty', () => {
  const buffer = Evbuffer.from('hello');
  const views = [...buffer.peek(), buffer.pullup() as Uint8Array, ...buffer];
  for (const view of views) expect([...view]).toEqual([...bytes('hello')]);
  buffer.add('!');
  for (const view of views) expect(view.length).toBe(0);
  expect(buffer.toString()).toBe('hello!');
});

test('a view of the buffer itself can be added to it', () => {
  const buffer = Evbuffer.from('abc');
  buffer.add(buffer.pullup() as Uint8Array);
  buffer.prepend(buffer.peek({ length: 3 })[0] as Uint8Array);
  buffer.addVector(buffer);
  expect(buffer.toString()).toBe('abc'.repeat(6));
  const large = new Evbuffer();
  large.add(new Uint8Array(100_000).fill(65));
  large.add(large.pullup() as Uint8Array);
  expect(large.toString()).toBe('A'.repeat(200_000));
});

test('reserved room arrives by commit, and is gone then', () => {
  const buffer = new Evbuffer();
  const room = buffer.reserve(5000, 4);
  for (const segment of room.segments) segment.fill(7);
  room.commit(5000);
  expect(room.segments.every((segment) => segment.length === 0)).toBe(true);
  expect(buffer.remove().every((byte) => byte === 7)).toBe(true);
  validate(buffer);
});

test('recycled memory is poisoned, and writing it is found at its next use', () => {
  for (const at of [0, 3, 1023]) {
    const buffer = Evbuffer.from('secret');
    const segments: EvbufferSegment[] = [];
    buffer.peekInto(segments, 6);
    const { memory } = segments[0] as EvbufferSegment;
    buffer.drain();
    expect([...memory.subarray(0, 6)]).toEqual(Array(6).fill(POISON));
    memory[at] = 1;
    expect(() => buffer.add('next')).toThrow(`byte ${at} of recycled memory was written`);
    buffer.add('next');
    expect(buffer.toString()).toBe('next');
  }
});

test('loans are listed with the place that made them until they are released', () => {
  const buffer = new Evbuffer();
  const released: unknown[] = [];
  const memory = bytes('reference');
  buffer.addReference(memory, (returned) => released.push(returned));
  buffer.addLeased(bytes('lease'), 1, 3, { release: (lease) => released.push(lease) }, 42);
  expect(mode.loans().map(({ kind, bytes }) => [kind, bytes])).toEqual([
    ['reference', 9],
    ['lease', 2],
  ]);
  for (const { stack } of mode.loans()) expect(stack).toContain('debug-mode.test.ts');
  buffer.drain(9);
  expect(mode.loans().map(({ kind }) => kind)).toEqual(['lease']);
  buffer.drain();
  expect(mode.loans()).toEqual([]);
  expect(released).toEqual([memory, 42]);
});

test('turned off, nothing is watched any more; it cannot be on twice', () => {
  expect(() => enableDebugMode()).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_INVALID_ARGUMENT' }));
  mode.disable();
  const buffer = Evbuffer.from('abc');
  const [view] = buffer.peek();
  buffer.add('d');
  expect((view as Uint8Array).length).toBe(3);
});

test('a reservation whose room was transferred is refused as without the mode', () => {
  const buffer = Evbuffer.from('abc');
  const room = buffer.reserve(5000, 4);
  const { buffer: memory } = room.segments.at(-1) as Uint8Array;
  structuredClone(memory, { transfer: [memory as ArrayBuffer] });
  expect(() => room.commit(5000)).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_DETACHED' }));
  expect(buffer.toString()).toBe('abc');
  validate(buffer);
});

test('setNumber changes nothing when memory for its second piece cannot be had', () => {
  const [later, sooner] = [Evbuffer.from('x'), Evbuffer.from('x')] as const;
  const segments: EvbufferSegment[] = [];
  later.peekInto(segments, 1);
  const { memory } = segments[0] as EvbufferSegment;
  later.drain();
  sooner.drain();
  const buffer = pieces('a');
  let released = 0;
  buffer.addReference(bytes('b'), () => released++);
  buffer.addReference(bytes('c'), () => released++);
  memory[0] = 1;
  expect(() => setNumber(buffer, 1, 'u16be', 0x5859)).toThrow('recycled memory was written');
  expect([buffer.toString(), released]).toEqual(['abc', 0]);
  validate(buffer);
  setNumber(buffer, 1, 'u16be', 0x5859);
  expect([buffer.toString(), released]).toEqual(['aXY', 2]);
  validate(buffer);
});
