import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { expect, test } from 'vitest';
import { bytes, expectRefused, expectText, pieces, text } from './support/check.js';

class Leases {
  readonly released: number[] = [];
  release(lease: number): void {
    this.released.push(lease);
  }
}

test('drained pinned memory is given back at unpin, whatever drained it', () => {
  const ways: readonly ((buffer: Evbuffer) => unknown)[] = [
    (buffer) => buffer.drain(),
    (buffer) => buffer.clear(),
    (buffer) => buffer[Symbol.dispose](),
    (buffer) => buffer.remove(),
  ];
  for (const way of ways) {
    const leases = new Leases();
    const buffer = new Evbuffer();
    let released = 0;
    buffer.addLeased(bytes('abc'), 0, 3, leases, 1);
    buffer.addReference(bytes('def'), () => released++);
    buffer.addLeased(bytes('ghi'), 0, 3, leases, 2);
    buffer.pin(4);
    way(buffer);
    validate(buffer);
    // Only the piece behind the pinned bytes went at once.
    expect([leases.released, released]).toEqual([[2], 0]);
    buffer.unpin();
    validate(buffer);
    expect([leases.released, released]).toEqual([[2, 1], 1]);
    buffer.unpin();
    expect([leases.released, released]).toEqual([[2, 1], 1]);
  }
});

test('a pinned slab is not recycled while it is pinned, although its bytes were drained', () => {
  const buffer = new Evbuffer();
  buffer.add('precious');
  const view = buffer.pullup() as Uint8Array;
  buffer.pin(8);
  buffer.drain();
  const others = Array.from({ length: 50 }, () => {
    const other = new Evbuffer();
    other.add('x'.repeat(1000));
    return other;
  });
  expect(text(view)).toBe('precious');
  buffer.unpin();
  expect(others.every((other) => other.length === 1000)).toBe(true);
});

test('pullup refuses to move pinned bytes, but may fill the room behind them', () => {
  const buffer = pieces('abc', 'def');
  buffer.pin(6);
  expectRefused('ERR_EVBUFFER_PINNED', [buffer], () => buffer.pullup(4));
  expect(text(buffer.pullup(3))).toBe('abc');
  buffer.unpin();
  expect(text(buffer.pullup(4))).toBe('abcd');

  const own = new Evbuffer();
  own.add('abc');
  own.addReference(bytes('def'));
  const pinned = own.peek({ length: 3 })[0] as Uint8Array;
  own.pin(3);
  expect(text(own.pullup())).toBe('abcdef');
  expect(text(pinned)).toBe('abc');
  own.unpin();
});

test('pullup may fill the room behind pinned bytes to its end, but not with what is pinned itself', () => {
  const filling = (rest: number): Evbuffer => {
    const buffer = new Evbuffer();
    const { length } = buffer.reserve(1000);
    buffer.add('x'.repeat(length - 3));
    buffer.addReference(bytes('def'.padEnd(rest, 'g')));
    return buffer;
  };
  const exactly = filling(3);
  exactly.pin(1);
  expect(text(exactly.pullup())?.slice(-4)).toBe('xdef');
  exactly.unpin();
  const beyond = filling(4);
  beyond.pin(1);
  expectRefused('ERR_EVBUFFER_PINNED', [beyond], () => beyond.pullup());
  const both = filling(3);
  both.pin(both.length);
  expectRefused('ERR_EVBUFFER_PINNED', [both], () => both.pullup());
});

test('prepending fills the gap before pinned bytes, but never what was pinned and drained', () => {
  const buffer = new Evbuffer();
  buffer.add('0123456789');
  buffer.drain(4);
  const view = buffer.peek()[0] as Uint8Array;
  buffer.pin(6);
  buffer.prepend('abcd');
  expect(buffer.peek()).toHaveLength(1);
  expect(text(view)).toBe('456789');
  buffer.drain(6);
  buffer.prepend('XX');
  expectText(buffer, 'XX6789');
  expect(text(view)).toBe('456789');
  buffer.unpin();
  validate(buffer);
});

test('appending behind pinned bytes stays in the same memory; making space does not shift them', () => {
  const buffer = new Evbuffer();
  buffer.add(new Uint8Array(1000));
  buffer.drain(990);
  const view = buffer.peek()[0] as Uint8Array;
  view.set(bytes('0123456789'));
  buffer.pin(10);
  buffer.add('ab');
  expect(buffer.peek()).toHaveLength(1);
  buffer.ensureSpace(500);
  buffer.reserve(500);
  expect(text(view)).toBe('0123456789');
  expect(buffer.peek()[0]?.byteOffset).toBe(990);
  buffer.unpin();
  buffer.ensureSpace(500);
  expect(buffer.peek()[0]?.byteOffset).toBe(0);
  expectText(buffer, '0123456789ab');
});

test('a pinned buffer is no source of a move, and there is one pin at a time', () => {
  const buffer = pieces('abc', 'def');
  const other = pieces('x');
  buffer.pin(0);
  expectRefused('ERR_EVBUFFER_INVALID_STATE', [buffer], () => buffer.pin(1));
  expectRefused('ERR_EVBUFFER_PINNED', [buffer, other], () => other.addBuffer(buffer));
  expectRefused('ERR_EVBUFFER_PINNED', [buffer, other], () => other.prependBuffer(buffer));
  expectRefused('ERR_EVBUFFER_PINNED', [buffer, other], () => buffer.moveTo(other, 2));
  expectRefused('ERR_EVBUFFER_PINNED', [buffer, other], () => buffer.moveTo(other, 100));
  buffer.addBuffer(other);
  expectText(buffer, 'abcdefx');
  buffer.unpin();
  expectRefused('ERR_EVBUFFER_OUT_OF_RANGE', [buffer], () => buffer.pin(8));
  buffer.pin(7);
  buffer.unpin();
  expect(buffer.moveTo(other, 4)).toBe(4);
});

test('the end of a drained pin may run user code, which finds the buffer whole and not pinned', () => {
  const buffer = new Evbuffer();
  buffer.addReference(bytes('abc'), () => {
    validate(buffer);
    buffer.add('new');
    buffer.pin(3);
  });
  buffer.pin(3);
  buffer.drain();
  buffer.unpin();
  expect(() => buffer.pin(1)).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_INVALID_STATE' }));
  buffer.unpin();
  expectText(buffer, 'new');
});
