import { Evbuffer, EvbufferError } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { expect, test } from 'vitest';
import { bytes, expectRefused, expectText, pieces, text } from './support/check.js';

/** Counts the releases of each lease. */
class Leases {
  readonly released: number[] = [];
  release(lease: number): void {
    this.released.push(lease);
  }
}

test('BU-5: referenced memory is released once, with the whole of it, when its last byte is gone (regress A19)', () => {
  const whole = bytes('you ought to write it up for publication');
  const copy = whole.slice();
  const released: Uint8Array[] = [];
  const source = new Evbuffer();
  source.addReference(whole, (memory) => released.push(memory));
  const target = new Evbuffer();
  const room = target.reserve(whole.length);
  const segment = room.segments[0] as Uint8Array;
  expect(source.remove(segment.subarray(0, 10))).toBe(10);
  source.prepend('aaaaa');
  source.drain(5);
  expect(whole).toEqual(copy);
  validate(source);
  expect(released).toEqual([]);
  expect(source.remove(segment.subarray(10))).toBe(30);
  room.commit(40);
  expect(released).toHaveLength(1);
  expect(released[0]).toBe(whole);
  expect(whole).toEqual(copy);
  expectText(target, text(copy) as string);
});

for (const [regress, prefix] of [
  ['regress A28', ''],
  ['regress A29, row 24', '|prefix| '],
] as const) {
  test(`BU-5: release happens at the last byte, not before, also in another buffer, for blocks after ${JSON.stringify(prefix)} (${regress})`, () => {
    const blocks: Uint8Array[] = [];
    const released: Uint8Array[] = [];
    const refer = (to: Evbuffer, content: string): Uint8Array => {
      const block = bytes(prefix + content);
      blocks.push(block);
      const view = block.subarray(prefix.length);
      to.addReference(view, (memory) => released.push(memory));
      return view;
    };
    const expectReleased = (...views: Uint8Array[]): void => {
      expect(released).toHaveLength(views.length);
      expect(released.every((memory, i) => memory === views[i])).toBe(true);
    };
    const buffer = new Evbuffer();
    const first = refer(buffer, 'If you have found the answer to such a problem');
    buffer.add(', ');
    const second = refer(buffer, 'you ought to write it up for publication');
    expect(buffer.length).toBe(88);
    expect(text(buffer.remove(6))).toBe('If you');
    expect(text(buffer.remove(5))).toBe(' have');
    buffer.prepend('I have ');
    expect(text(blocks[0] as Uint8Array)).toBe(`${prefix}If you have found the answer to such a problem`);
    buffer.drain(7);
    buffer.drain(34);
    expectReleased();
    expect(text(buffer.remove(1))).toBe('m');
    expectReleased(first);
    expect([released[0]?.buffer, released[0]?.byteOffset, released[0]?.length]).toEqual([
      blocks[0]?.buffer,
      prefix.length,
      46,
    ]);
    buffer.drain(6);
    const other = pieces('I ');
    other.addBuffer(buffer);
    expectReleased(first);
    expect(text(other.remove(16))).toBe('I ought to write');
    expectReleased(first);
    expectText(other, ' it up for publication');
    other.drain();
    expectReleased(first, second);
    const third = refer(other, 'something else');
    expectText(other, 'something else');
    other[Symbol.dispose]();
    expectReleased(first, second, third);
  });
}

test('BU-5: a part of a block is referenced through a subarray; what lies before it never shows (row 24)', () => {
  const block = bytes('|prefix| the bytes');
  const buffer = new Evbuffer();
  buffer.addReference(block.subarray(9));
  buffer.prepend('>');
  expectText(buffer, '>the bytes');
  expect(text(block)).toBe('|prefix| the bytes');
});

test('BU-5: pullup releases what it copied away', () => {
  const buffer = new Evbuffer();
  const releases: string[] = [];
  for (const name of ['a', 'b', 'c']) buffer.addReference(bytes(name.repeat(4)), () => releases.push(name));
  expect(text(buffer.pullup(6))).toBe('aaaabb');
  expect(releases).toEqual(['a']);
  buffer.pullup();
  expect(releases).toEqual(['a', 'b', 'c']);
  expectText(buffer, 'aaaabbbbcccc');
});

test('BU-5: an empty reference is released at once', () => {
  const buffer = new Evbuffer();
  let released = 0;
  buffer.addReference(new Uint8Array(0), () => released++);
  expect(released).toBe(1);
  validate(buffer);
});

test('memory added by reference is never written, whatever is added around it', () => {
  const block = bytes('....middle....');
  const middle = block.subarray(4, 10);
  const buffer = new Evbuffer();
  buffer.addLeased(block, 4, 10, new Leases(), 1);
  buffer.addReference(middle);
  buffer.prepend('<');
  buffer.add('>');
  buffer.drain(3);
  buffer.prepend('__');
  buffer.ensureSpace(100);
  buffer.reserve(10).commit(1);
  expect(text(block)).toBe('....middle....');
  expectText(buffer, '__ddlemiddle>\0');
});

test('a lease is released once, at the last byte, however the bytes leave', () => {
  const memory = bytes('0123456789');
  const ways: readonly ((buffer: Evbuffer) => void)[] = [
    (buffer) => void buffer.drain(),
    (buffer) => buffer.clear(),
    (buffer) => buffer[Symbol.dispose](),
    (buffer) => void buffer.remove(),
    (buffer) => void buffer.remove(new Uint8Array(10)),
    (buffer) => {
      buffer.add('!');
      buffer.pullup();
    },
    (buffer) => {
      const other = new Evbuffer();
      other.addBuffer(buffer);
      other.drain();
    },
    (buffer) => {
      const other = new Evbuffer();
      while (buffer.length > 0) buffer.moveTo(other, 3);
      expectText(other, '01234567');
      other.drain();
    },
  ];
  for (const way of ways) {
    const leases = new Leases();
    const buffer = new Evbuffer();
    buffer.addLeased(memory, 0, 8, leases, 2 ** 40 + 1);
    expect(leases.released).toEqual([]);
    way(buffer);
    expect(leases.released).toEqual([2 ** 40 + 1]);
    expect(text(memory)).toBe('0123456789');
  }
});

test('a lease of memory that threads share is shown, its owner being trusted, whatever was referenced before', () => {
  const buffer = pieces('never looked at');
  buffer.drain();
  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(65);
  buffer.addLeased(shared, 0, 4, { release: () => {} }, 1);
  expectText(buffer, 'AAAA');
  expect(buffer.remove()).toEqual(bytes('AAAA'));
});

test('an empty lease is released at once, and one that was refused is not', () => {
  const leases = new Leases();
  const buffer = new Evbuffer();
  buffer.addLeased(bytes('abc'), 2, 2, leases, 5);
  expect(leases.released).toEqual([5]);
  expectRefused('ERR_EVBUFFER_OUT_OF_RANGE', [buffer], () => buffer.addLeased(bytes('abc'), 2, 4, leases, 6));
  expectRefused('ERR_EVBUFFER_OUT_OF_RANGE', [buffer], () => buffer.addLeased(bytes('abc'), 2, 1, leases, 6));
  expectRefused('ERR_EVBUFFER_OUT_OF_RANGE', [buffer], () => buffer.addLeased(bytes('abc'), -1, 1, leases, 6));
  expect(leases.released).toEqual([5]);
});

test('a large piece that is cut is shared, not copied, and goes with the later of its parts', () => {
  const memory = new Uint8Array(100_000).map((_, i) => i);
  const leases = new Leases();
  const buffer = new Evbuffer();
  const other = new Evbuffer();
  const third = new Evbuffer();
  buffer.addLeased(memory, 0, memory.length, leases, 1);
  expect(buffer.moveTo(other, 40_000)).toBe(40_000);
  expect(other.moveTo(third, 20_000)).toBe(20_000);
  for (const one of [buffer, other, third]) {
    validate(one);
    expect(one.peek()[0]?.buffer).toBe(memory.buffer);
  }
  other.add('x');
  other.prepend('y');
  third.add('z');
  expect(Buffer.compare(third.remove(20_000), memory.subarray(0, 20_000))).toBe(0);
  buffer.drain();
  expect(leases.released).toEqual([]);
  other.drain(1);
  expect(Buffer.compare(other.remove(20_000), memory.subarray(20_000, 40_000))).toBe(0);
  expect(leases.released).toEqual([1]);
  expectText(other, 'x');
});

test('a release callback may use and change the buffer, which is whole by then', () => {
  const buffer = new Evbuffer();
  const seen: number[] = [];
  buffer.addReference(bytes('abc'), () => {
    seen.push(buffer.length);
    validate(buffer);
    buffer.add('new');
    buffer.drain(1);
  });
  buffer.add('def');
  buffer.drain(4);
  expect(seen).toEqual([2]);
  expectText(buffer, 'fnew');
});

test('a release callback that throws does not keep the others from running, and the drain has happened', () => {
  const buffer = new Evbuffer();
  const leases = new Leases();
  let changes = 0;
  buffer.watch(() => changes++);
  buffer.addReference(bytes('a'), () => {
    throw new Error('first');
  });
  buffer.addReference(bytes('b'), () => {
    throw new Error('second');
  });
  buffer.addLeased(bytes('c'), 0, 1, leases, 3);
  buffer.add('d');
  expect(() => buffer.drain(3)).toThrow('first');
  expect(leases.released).toEqual([3]);
  expect(changes).toBe(5);
  expectText(buffer, 'd');
});

test('memory detached behind the buffer’s back gives a typed error at each use, and can be drained', () => {
  const memory = bytes('abcdef');
  const buffer = pieces('12');
  buffer.addReference(memory);
  buffer.addReference(bytes('34'));
  structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] });
  const uses: readonly (() => unknown)[] = [
    () => buffer.remove(),
    () => buffer.remove(new Uint8Array(5)),
    () => buffer.copyOut(new Uint8Array(5)),
    () => buffer.pullup(),
    () => buffer.peek(),
    () => buffer.peekInto([], 10),
    () => buffer.indexOf('zz'),
    () => buffer.indexOfEol('any'),
    () => buffer.indexOfEol('lf'),
    () => buffer.readLine(),
    () => [...buffer],
    () => buffer.pin(5),
    () => buffer.moveTo(new Evbuffer(), 3),
  ];
  for (const use of uses) {
    let thrown: unknown;
    try {
      use();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(EvbufferError);
    expect((thrown as EvbufferError).code).toBe('ERR_EVBUFFER_DETACHED');
    expect(buffer.length).toBe(10);
    validate(buffer);
  }
  expect(text(buffer.remove(2))).toBe('12');
  expect(() => buffer.pullup(1)).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_DETACHED' }));
  buffer.drain(6);
  expectText(buffer, '34');
});

test('the buffer’s own memory detached through a view it lent is noticed too, and not used again', () => {
  const buffer = new Evbuffer();
  buffer.add('abc');
  const lent = buffer.pullup() as Uint8Array<ArrayBuffer>;
  structuredClone(lent.buffer, { transfer: [lent.buffer] });
  buffer.add('def');
  buffer.prepend('_');
  expect(() => buffer.remove()).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_DETACHED' }));
  buffer.drain(4);
  expectText(buffer, 'def');
  const room = buffer.reserve(10_000);
  const segment = room.segments[0] as Uint8Array<ArrayBuffer>;
  structuredClone(segment.buffer, { transfer: [segment.buffer] });
  expect(() => room.commit(5)).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_DETACHED' }));
  expectText(buffer, 'def');
});
