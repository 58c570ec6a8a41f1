import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { setNumber } from 'evbuffer/framing';
import { expect, test } from 'vitest';
import { bytes, expectRefused, expectText, pieces } from './support/check.js';

const memories: unknown[] = [];

/** Memory by a number of its own, since two of the same content are equal to `toEqual`, and an offset in it. */
function at(memory: ArrayBufferLike | undefined, offset: number | undefined): unknown[] {
  if (!memories.includes(memory)) memories.push(memory);
  return [memories.indexOf(memory), offset];
}

const place = (view: Uint8Array | undefined): unknown[] => at(view?.buffer, view?.byteOffset);

test('reserved room follows the data and becomes data by commit (regress A9, rows 32 and 33)', () => {
  const buffer = new Evbuffer();
  let room = buffer.reserve(1024, 2);
  expect(room.segments).toHaveLength(1);
  expect(room.length).toBeGreaterThanOrEqual(1024);
  expect(buffer.length).toBe(0);
  const start = room.segments[0] as Uint8Array;
  start.fill(0x58);
  room.commit(512);
  expect(buffer.length).toBe(512);
  validate(buffer);

  room = buffer.reserve(32, 2);
  expect(room.segments).toHaveLength(1);
  expect(place(room.segments[0])).toEqual(at(start.buffer, start.byteOffset + 512));
  expect(room.length).toBe(start.length - 512);
  room.segments[0]?.fill(0x59);
  room.commit(8);
  const remaining = start.length - 520;

  room = buffer.reserve(remaining + 64, 2);
  expect(room.segments.map((segment) => segment.length >= 64)).toEqual([true, true]);
  expect(room.segments[0]).toHaveLength(remaining);
  const second = room.segments[1];
  room.segments[0]?.fill(0x5a);
  room.commit(1);
  room = buffer.reserve(remaining + 63, 2);
  expect(place(room.segments[1])).toEqual(place(second));
  room.segments[0]?.fill(0x57);
  room.segments[1]?.fill(0x78);
  room.commit(remaining - 1 + 60);
  expect(buffer.peek().map((view) => view.length)).toEqual([start.length, 60]);
  expectText(buffer, `${'X'.repeat(512)}${'Y'.repeat(8)}Z${'W'.repeat(remaining - 1)}${'x'.repeat(60)}`);
});

test('asking again without a commit gives the same memory, and fewer pieces join the later ones (regress A10, A11, A12)', () => {
  for (const [first, more] of [
    ['nothing', 0],
    ['nothing', 128],
    ['one byte', 0],
    ['one byte', 128],
    ['all', 0],
    ['all', 128],
  ] as const) {
    const buffer = new Evbuffer();
    const one = buffer.reserve(128, 2);
    expect(one.segments).toHaveLength(1);
    const size = one.length;
    if (first === 'one byte') one.commit(1);
    if (first === 'all') one.commit(size);
    const start = one.segments[0] as Uint8Array;
    const room = { nothing: size, 'one byte': size - 1, all: 0 }[first];

    const two = buffer.reserve(room + 128, 2);
    const wanted = first === 'all' ? 1 : 2;
    expect(two.segments).toHaveLength(wanted);
    if (first === 'all') expect(two.segments[0]?.buffer).not.toBe(start.buffer);
    else expect(place(two.segments[0])).toEqual(at(start.buffer, start.byteOffset + size - room));

    let three = buffer.reserve(two.length + 128, 3);
    expect(three.segments).toHaveLength(wanted + 1);
    expect(three.segments.slice(0, wanted).map(place)).toEqual(two.segments.map(place));
    if (first === 'all') three = buffer.reserve(three.length + 128, 3);
    expect(three.segments).toHaveLength(3);

    const again = buffer.reserve(three.length + more, 2);
    expect(again.length).toBeGreaterThanOrEqual(three.length + more);
    expect(again.segments).toHaveLength(first === 'one byte' ? 2 : 1);
    if (first === 'one byte') expect(place(again.segments[0])).toEqual(place(two.segments[0]));
    expect(buffer.length).toBe({ nothing: 0, 'one byte': 1, all: size }[first]);
    validate(buffer);
  }
});

test('room that fits exactly is the same again when it is asked for again', () => {
  const buffer = new Evbuffer();
  const { length } = buffer.reserve(1);
  const [first] = buffer.reserve(length).segments;
  for (const bytesWanted of [length, length - 1, 1]) {
    expect(place(buffer.reserve(bytesWanted).segments[0])).toEqual(place(first));
  }
});

test('a byte committed after other data stays in order with what follows (regress A13)', () => {
  const buffer = new Evbuffer();
  buffer.add('a');
  const room = buffer.reserve(4096, 2);
  expect(room.segments).toHaveLength(2);
  (room.segments[0] as Uint8Array)[0] = 0x62;
  room.commit(1);
  buffer.add('c');
  expectText(buffer, 'abc');
});

test('0 bytes reserve one piece, or none when more pieces are allowed (row 32)', () => {
  const buffer = new Evbuffer();
  expect(buffer.reserve(0).segments).toHaveLength(1);
  expect(buffer.reserve(0, 2).segments).toHaveLength(0);
  const room = buffer.reserve(0, 2);
  room.commit(0);
  expectText(buffer, '');
});

test('committing more than was reserved, twice, or after a change is refused', () => {
  const buffer = pieces('ab');
  const room = buffer.reserve(10);
  expectRefused('ERR_EVBUFFER_OUT_OF_RANGE', [buffer], () => room.commit(room.length + 1));
  room.commit(2);
  expectRefused('ERR_EVBUFFER_STALE_RESERVATION', [buffer], () => room.commit(1));
  const changes: readonly ((buffer: Evbuffer) => unknown)[] = [
    (b) => b.add('x'),
    (b) => b.prepend('x'),
    (b) => b.drain(1),
    (b) => b.remove(1),
    (b) => b.pullup(),
    (b) => b.reserve(5),
    (b) => b.ensureSpace(5),
    (b) => b.addBuffer(pieces('x')),
    (b) => b.prependBuffer(pieces('x')),
    (b) => setNumber(b, 0, 'u8', 0x58),
    (b) => new Evbuffer().addBufferReference(b),
    (b) => new Evbuffer().addBuffer(b),
    (b) => b.clear(),
    (b) => b.clear(),
  ];
  for (const change of changes) {
    const stale = buffer.reserve(10);
    change(buffer);
    expectRefused('ERR_EVBUFFER_STALE_RESERVATION', [buffer], () => stale.commit(1));
  }
});

test('looking, freezing, pinning and commits of nothing elsewhere leave a reservation good', () => {
  const buffer = pieces('ab');
  const room = buffer.reserve(10);
  buffer.peek();
  buffer.indexOf('b');
  buffer.freeze('back');
  buffer.unfreeze('back');
  buffer.pin(1);
  buffer.unpin();
  buffer.add('');
  buffer.drain(0);
  room.commit(1);
  expectText(buffer, 'ab\0');
});

test('reserved room never shows what recycled memory held', () => {
  for (const bytesWanted of [10, 1024, 5000, 65_536, 70_000]) {
    const secret = new Evbuffer();
    for (let i = 0; i < 20; i++) secret.add(new Uint8Array(bytesWanted).fill(0x53));
    secret.drain();
    const buffer = new Evbuffer();
    buffer.add('a');
    for (const maxSegments of [1, 2, 5]) {
      for (const segment of buffer.reserve(bytesWanted, maxSegments).segments) {
        expect(segment.every((byte) => byte === 0)).toBe(true);
      }
    }
  }
});

test('ensureSpace makes contiguous room once, then does nothing (regress A15a, row 31)', () => {
  const buffer = new Evbuffer();
  buffer.ensureSpace(20_000);
  const room = buffer.reserve(20_000);
  expect(room.segments).toHaveLength(1);
  buffer.ensureSpace(20_000);
  expect(place(buffer.reserve(1).segments[0])).toEqual(place(room.segments[0]));
  buffer.add(new Uint8Array(1024));
  expect(buffer.peek()[0]?.buffer).toBe(room.segments[0]?.buffer);
  buffer.ensureSpace(1024);
  expect(place(buffer.reserve(1).segments[0])).toEqual(at(room.segments[0]?.buffer, 1024));
});

test('ensureSpace shifts a few bytes to the start of their memory rather than allocate (regress A15b)', () => {
  const buffer = new Evbuffer();
  buffer.add('x'.repeat(400));
  const memory = buffer.peek()[0]?.buffer as ArrayBuffer;
  buffer.add('y'.repeat(memory.byteLength - 1 - 400));
  buffer.drain(memory.byteLength - 2);
  buffer.ensureSpace(40);
  const view = buffer.peek()[0];
  expect(place(view)).toEqual(at(memory, 0));
  expectText(buffer, 'y');
});

test('ensureSpace shifts up to 2 KiB, and leaves more where it is (row 31)', () => {
  for (const [left, shifted] of [
    [2048, true],
    [2049, false],
  ] as const) {
    const buffer = new Evbuffer();
    buffer.ensureSpace(16_384);
    buffer.add(new Uint8Array(16_384));
    const memory = buffer.peek()[0]?.buffer;
    buffer.drain(buffer.length - left);
    buffer.ensureSpace(1000);
    expect(place(buffer.peek()[0])).toEqual(at(memory, shifted ? 0 : 16_384 - left));
  }
});

test('space between additions changes nothing that can be read (regress A15c, A17, A18, A20)', () => {
  const buffer = new Evbuffer();
  for (let i = 0; i < 3; i++) buffer.add(new Uint8Array(4096));
  buffer.ensureSpace(1024);
  expect(buffer.pullup()).toHaveLength(3 * 4096);
  validate(buffer);
  buffer.clear();
  buffer.add('1');
  buffer.ensureSpace(2048);
  buffer.add('2');
  buffer.add(`${3}`);
  expectText(buffer, '123');
  const addTwo: readonly ((buffer: Evbuffer) => unknown)[] = [(b) => b.add('2'), (b) => b.addReference(bytes('2'))];
  for (const add of addTwo) {
    const filled = new Evbuffer();
    filled.add(bytes('P'.repeat(1014)));
    filled.ensureSpace(100);
    add(filled);
    filled.add('3');
    expect(filled.length).toBe(1016);
    expectText(filled, `${'P'.repeat(1014)}23`);
  }
});

test('a buffer whose last piece was drained takes new commits, and refuses the old ones (regress A: reserve_invalid_last_with_datap)', () => {
  const endings: readonly ((buffer: Evbuffer) => unknown)[] = [
    (b) => b.drain(),
    (b) => b.remove(),
    (b) => b.moveTo(new Evbuffer(), b.length),
    (b) => new Evbuffer().addBuffer(b),
  ];
  for (const end of endings) {
    // The room lies in the piece that goes, or behind it.
    for (const content of ['x', 'x'.repeat(1024)]) {
      const buffer = new Evbuffer();
      buffer.add(bytes(content));
      const old = buffer.reserve(100, 2);
      end(buffer);
      expectRefused('ERR_EVBUFFER_STALE_RESERVATION', [buffer], () => old.commit(1));
      const room = buffer.reserve(100, 2);
      room.segments[0]?.set(bytes('ab'));
      room.commit(2);
      buffer.add('c');
      expectText(buffer, 'abc');
    }
  }
});

test('more room than can exist is refused without harm (regress A16)', () => {
  const buffer = new Evbuffer();
  buffer.add('1');
  buffer.ensureSpace(5000);
  expectRefused('ERR_EVBUFFER_TOO_LARGE', [buffer], () => buffer.ensureSpace(Number.MAX_SAFE_INTEGER));
  expectRefused('ERR_EVBUFFER_TOO_LARGE', [buffer], () => buffer.reserve(Number.MAX_SAFE_INTEGER, 2));
  expectRefused('ERR_EVBUFFER_OUT_OF_RANGE', [buffer], () => buffer.ensureSpace(Number.POSITIVE_INFINITY));
  buffer.add('2');
  expectText(buffer, '12');
});

test('a buffer that was emptied holds no memory, whether its bytes were drained or moved away', () => {
  const ways: readonly ((buffer: Evbuffer) => unknown)[] = [
    (b) => b.drain(),
    (b) => new Evbuffer().addBuffer(b),
    (b) => new Evbuffer().prependBuffer(b),
    (b) => b.take(),
  ];
  for (const empty of ways) {
    const buffer = Evbuffer.from('x'.repeat(1024));
    buffer.ensureSpace(5000);
    const kept = buffer.reserve(5000).segments[0]?.buffer;
    empty(buffer);
    expect(new Evbuffer().reserve(5000).segments[0]?.buffer, String(empty)).toBe(kept);
  }
});

test('an empty buffer that was drained holds no memory', () => {
  // The byte takes the room, or the room lies behind others.
  for (const content of ['', 'x'.repeat(1024)]) {
    const buffer = new Evbuffer();
    buffer.add(bytes(content));
    buffer.ensureSpace(5000);
    const kept = buffer.reserve(5000).segments[0]?.buffer;
    if (content === '') buffer.add('x');
    buffer.drain();
    const other = new Evbuffer();
    expect(other.reserve(5000).segments[0]?.buffer).toBe(kept);
  }
});
