import { Evbuffer, type EvbufferSegment } from 'evbuffer';
import { expect, test } from 'vitest';
import { bytes, pieces, text } from './support/check.js';

const chunks = Array.from({ length: 16 }, (_, i) => `Contents of chunk [${i}]\n`);

test('BU-7: the number of views is the number of pieces that the bytes need (regress A35)', () => {
  const buffer = pieces(...chunks);
  expect(buffer.peek()).toHaveLength(16);
  expect(buffer.peek().map(text)).toEqual(chunks);
  expect(buffer.peek({ maxSegments: 20 })).toHaveLength(16);
  expect(buffer.peek({ maxSegments: 1 }).map(text)).toEqual([chunks[0]]);
  expect(buffer.peek({ length: 40 })).toHaveLength(2);
  expect(buffer.peek({ length: 100 })).toHaveLength(5);
  expect(buffer.peek({ length: 60 })).toHaveLength(3);
  expect(buffer.peek({ length: 60, maxSegments: 1 })).toHaveLength(1);
  expect(buffer.peek({ length: 65_536 })).toHaveLength(16);
  expect(new Evbuffer().peek()).toEqual([]);
  expect(new Evbuffer().peek({ length: 50 })).toEqual([]);
  expect(buffer.peek({ start: 30, length: 50 })).toHaveLength(3);
  expect(buffer.peek({ start: 30, length: 36 }).map(text)).toEqual([' of chunk [1]\n', chunks[2]]);
  expect(buffer.peek({ start: 44, length: 44 })).toHaveLength(2);
  expect(buffer.peek({ start: buffer.length })).toEqual([]);
  expect(buffer.peek({ length: 0 })).toEqual([]);
  expect(buffer.peek({ start: 30, length: 0 })).toEqual([]);
});

test('BU-7: the last view is cut to the length asked for', () => {
  expect(pieces('abc', 'def').peek({ length: 4 }).map(text)).toEqual(['abc', 'd']);
  expect(pieces('abc', 'def').peek({ start: 1, length: 1 }).map(text)).toEqual(['b']);
});

test('BU-7: a first view that holds more than the length asked for is cut, wherever it starts (regress A: peek_first_gt)', () => {
  const buffer = pieces('abcdef', 'ghi');
  for (const maxSegments of [1, 2]) {
    expect(buffer.peek({ length: 2, maxSegments }).map(text)).toEqual(['ab']);
    expect(buffer.peek({ start: 1, length: 2, maxSegments }).map(text)).toEqual(['bc']);
    expect(buffer.peek({ start: buffer.position(6), length: 2, maxSegments }).map(text)).toEqual(['gh']);
  }
});

test('peek copies nothing: a piece that fills its memory is that memory, others are views of it', () => {
  const memory = bytes('abc');
  const buffer = new Evbuffer();
  buffer.addReference(memory);
  expect(buffer.peek()[0]).toBe(memory);
  buffer.drain(1);
  expect(buffer.peek()[0]?.buffer).toBe(memory.buffer);
  expect(buffer.peek()[0]?.byteOffset).toBe(1);
});

test('peekInto fills the caller’s objects, makes missing ones, cuts the last and leaves the rest alone', () => {
  const buffer = pieces('abc', 'def', 'ghi');
  const mine: EvbufferSegment = { memory: new Uint8Array(0), start: 9, end: 9 };
  const untouched: EvbufferSegment = { memory: new Uint8Array(0), start: 7, end: 7 };
  const target = [mine];
  expect(buffer.peekInto(target, 4)).toBe(2);
  expect(target).toHaveLength(2);
  expect(target[0]).toBe(mine);
  expect(target.map(({ memory, start, end }) => text(memory.subarray(start, end)))).toEqual(['abc', 'd']);
  target[1] = untouched;
  expect(buffer.peekInto(target, 100, 1)).toBe(1);
  expect(target[1]).toEqual({ memory: new Uint8Array(0), start: 7, end: 7 });
  expect(buffer.peekInto(target, 0)).toBe(0);
  expect(buffer.peekInto([], 5, 0)).toBe(0);
  expect(new Evbuffer().peekInto(target, 5)).toBe(0);
  expect(buffer.length).toBe(9);
});

test('iterating gives each piece in order, and refuses to go on after a change', () => {
  const buffer = pieces('abc', 'def');
  expect([...buffer].map(text)).toEqual(['abc', 'def']);
  expect(() => {
    for (const view of buffer) buffer.drain(view.length);
  }).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_STALE_ITERATION' }));
  expect(buffer.length).toBe(3);
});
