import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { addNumber, setNumber } from 'evbuffer/framing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytes, expectRefused, expectText, pieces, text } from './support/check.js';
import { changesOf, chunked, contents, expectSame, noise, sizesOfPieces } from './support/chunks.js';

class Leases {
  readonly released: number[] = [];
  release(lease: number): void {
    this.released.push(lease);
  }
}

/** A buffer that holds the bytes of others, shared. */
function sharing(...sources: Evbuffer[]): Evbuffer {
  const buffer = new Evbuffer();
  for (const source of sources) buffer.addBufferReference(source);
  return buffer;
}

const FIRST = 'If you have found the answer to such a problem';
const SECOND = 'you ought to write it up for publication';

test('BU-6: two buffers that share bytes are read, changed and freed independently (regress A30, row 25)', () => {
  const source = new Evbuffer();
  source.addReference(bytes(FIRST));
  source.add(', ');
  source.addReference(bytes(SECOND));
  expect(source.length).toBe(88);
  const child = sharing(source);
  expect([source.length, child.length]).toEqual([88, 88]);
  expectRefused('ERR_EVBUFFER_INVALID_ARGUMENT', [child], () => child.addBufferReference(child));

  expect(text(child.remove(6))).toBe('If you');
  expect(text(source.remove(6))).toBe('If you');
  expect(text(source.remove(5))).toBe(' have');
  source.prepend('I have ');
  expect(text(child.remove(5))).toBe(' have');
  child.prepend('I have ');
  validate(source);
  validate(child);
  source[Symbol.dispose]();
  expect(text(child.remove(6))).toBe('I have');
  expect(text(child.remove(7))).toBe('  found');
  expectText(child, `${FIRST.slice(17)}, ${SECOND}`);
});

test('sharing copies nothing: both buffers show the same memory (row 25)', () => {
  const memory = bytes('referenced');
  const source = new Evbuffer();
  source.addReference(memory);
  source.add('copied');
  const before = source.peek();
  const child = sharing(source);
  expect(source.peek().map((view) => [view.buffer, view.byteOffset])).toEqual(
    before.map((view) => [view.buffer, view.byteOffset]),
  );
  expect(child.peek().map((view) => [view.buffer, view.byteOffset, view.length])).toEqual(
    before.map((view) => [view.buffer, view.byteOffset, view.length]),
  );
  expect(child.peek()[0]?.buffer).toBe(memory.buffer);
});

test('an empty source adds nothing, whatever is frozen, also the buffer itself (row 25, regress I: freeze on empty buffers)', () => {
  const buffer = pieces('abc');
  buffer.freeze('back');
  buffer.freeze('front');
  const changes = changesOf(buffer);
  buffer.addBufferReference(new Evbuffer());
  expectText(buffer, 'abc');
  const empty = new Evbuffer();
  empty.freeze('back');
  empty.freeze('front');
  empty.addBufferReference(empty);
  expectText(empty, '');
  expect(changes).toEqual([]);
});

test('a frozen back refuses shared bytes; what is frozen at the source does not matter (row 25, BU-1)', () => {
  const source = pieces('ab', 'cd');
  const child = pieces('x');
  source.freeze('front');
  source.freeze('back');
  child.freeze('front');
  child.addBufferReference(source);
  expectText(child, 'xabcd');
  child.freeze('back');
  expectRefused('ERR_EVBUFFER_FROZEN_BACK', [child, source], () => child.addBufferReference(source));
  expectText(source, 'abcd');
});

test('what is no buffer can not be shared', () => {
  const buffer = pieces('x');
  for (const wrong of [null, undefined, bytes('x'), 'x', {}, []]) {
    expectRefused('ERR_EVBUFFER_INVALID_ARGUMENT', [buffer], () => buffer.addBufferReference(wrong as never));
  }
});

test('sharing is one change of the target and none of the source (row 25)', () => {
  const source = pieces('ab', 'cd', 'ef');
  const child = pieces('x');
  const mine = changesOf(child);
  const others = changesOf(source);
  child.addBufferReference(source);
  expect(mine).toEqual([{ originalLength: 1, added: 6, removed: 0 }]);
  expect(others).toEqual([]);
});

test('what is added to either buffer after sharing is not seen by the other (row 25)', () => {
  for (const content of ['short', 'x'.repeat(1024), 'y'.repeat(5000)]) {
    const source = new Evbuffer();
    source.add(content);
    const child = sharing(source);
    source.add('+source');
    child.add('+child');
    source.prepend('source+');
    child.prepend('child+');
    const room = source.reserve(6);
    room.segments[0]?.set(bytes('+later'));
    room.commit(6);
    addNumber(child, 'u8', 0x21);
    expectText(source, `source+${content}+source+later`);
    expectText(child, `child+${content}+child!`);
  }
});

test('BU-6: pullup of two children and of the source corrupts none of them (regress I: pullup on shared chunks)', () => {
  const source = new Evbuffer();
  source.add('SHARED');
  const one = sharing(source);
  const two = sharing(source);
  one.add('-dst1');
  two.add('-dst2!');
  source.add('-source');
  expect(text(one.pullup())).toBe('SHARED-dst1');
  expect(text(two.pullup())).toBe('SHARED-dst2!');
  expect(text(source.pullup())).toBe('SHARED-source');
  expectText(one, 'SHARED-dst1');
  expectText(two, 'SHARED-dst2!');
  expectText(source, 'SHARED-source');
});

test('BU-6: room reserved, space made and bytes prepended beside shared memory touch no other buffer', () => {
  const source = new Evbuffer();
  source.add('0123456789');
  source.drain(4);
  const child = sharing(source);
  source.prepend('abcd');
  child.prepend('wxyz');
  child.reserve(100).segments[0]?.fill(0x23);
  source.reserve(100).segments[0]?.fill(0x24);
  child.ensureSpace(900);
  source.ensureSpace(900);
  expectText(source, 'abcd456789');
  expectText(child, 'wxyz456789');
  source.drain(8);
  source.prepend('ABCDEFGH');
  expectText(child, 'wxyz456789');
  expectText(source, 'ABCDEFGH89');
});

test('BU-5: shared memory is released once, when the last buffer is done with it, in whatever order they drain (row 25)', () => {
  const ways: readonly (readonly [string, (buffer: Evbuffer) => unknown])[] = [
    ['drain', (b) => b.drain()],
    ['remove', (b) => b.remove()],
    ['clear', (b) => b.clear()],
    ['dispose', (b) => b[Symbol.dispose]()],
    [
      'drain byte by byte',
      (b) => {
        while (b.length > 0) b.drain(1);
      },
    ],
    ['pullup', (b) => [b.add('!'), b.prepend('!'), b.pullup()]],
    [
      'move and drain',
      (b) => {
        const other = new Evbuffer();
        other.addBuffer(b);
        other.drain();
      },
    ],
    [
      'take',
      (b) => {
        b.take(2);
        b.take().drain();
        b.drain();
      },
    ],
  ];
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    for (const [name, way] of ways) {
      const leases = new Leases();
      const released: Uint8Array[] = [];
      const memory = bytes('memory');
      const source = new Evbuffer();
      source.addLeased(bytes('_leased_'), 1, 7, leases, 7);
      source.addReference(memory, (whole) => released.push(whole));
      const child = sharing(source);
      const grandchild = sharing(child);
      const buffers = [source, child, grandchild];
      const ended = order.map((i) => buffers[i] as Evbuffer);
      for (const [i, buffer] of ended.entries()) {
        expect([leases.released, released], name).toEqual([[], []]);
        way(buffer);
        validate(buffer);
        for (const rest of ended.slice(i + 1)) expectText(rest, 'leasedmemory');
      }
      if (name === 'take') continue;
      expect(leases.released, `${name}, ${order}`).toEqual([7]);
      expect(released, `${name}, ${order}`).toHaveLength(1);
      expect(released[0]).toBe(memory);
    }
  }
});

test('BU-5: a refused share releases nothing and keeps nothing', () => {
  const source = new Evbuffer();
  let released = 0;
  source.addReference(bytes('abc'), () => released++);
  const child = new Evbuffer();
  child.freeze('back');
  expectRefused('ERR_EVBUFFER_FROZEN_BACK', [child, source], () => child.addBufferReference(source));
  expect(released).toBe(0);
  source.drain();
  expect(released).toBe(1);
});

// regress A30 refuses nested sharing; here it is allowed.
test('shared bytes can be shared again, also back into their source (row 25)', () => {
  const source = pieces('ab', 'cd');
  const child = sharing(source);
  const grandchild = sharing(child, child);
  source.addBufferReference(child);
  source.addBufferReference(grandchild);
  expectText(source, 'abcdabcdabcdabcd');
  expectText(grandchild, 'abcdabcd');
  child.drain(3);
  expectText(child, 'd');
  grandchild.drain(5);
  expectText(grandchild, 'bcd');
  source.drain(7);
  expectText(source, 'dabcdabcd');
});

test('draining the source or the child in pieces leaves the other as it was (row 25, multicast_drain)', () => {
  const source = pieces('abc', 'def', 'ghi');
  const child = sharing(source);
  for (const step of [1, 2, 3, 1]) {
    source.drain(step);
    expectText(child, 'abcdefghi');
  }
  expectText(source, 'hi');
  child.drain(4);
  expectText(source, 'hi');
  expectText(child, 'efghi');
  source.drain();
  expectText(child, 'efghi');
});

test('moving shared bytes moves only the buffer’s own share', () => {
  const source = new Evbuffer();
  const memory = noise(5000);
  let released = 0;
  source.addReference(memory, () => released++);
  const child = sharing(source);
  const other = pieces('x');
  child.moveTo(other, 2500);
  expectSame(contents(source), memory);
  expectSame(contents(child), memory.subarray(2500));
  source.drain();
  other.drain();
  expect(released).toBe(0);
  expectSame(contents(child), memory.subarray(2500));
  child.drain();
  expect(released).toBe(1);
});

test('pinned bytes can be shared; the pin stays the source’s own', () => {
  const source = new Evbuffer();
  source.add('precious');
  const view = source.peek()[0] as Uint8Array;
  source.pin(8);
  const child = sharing(source);
  child.add('!');
  child.pullup();
  setNumber(child, 0, 'u8', 0x50);
  expectText(child, 'Precious!');
  source.drain();
  expect(text(view)).toBe('precious');
  child.drain();
  expect(text(view)).toBe('precious');
  source.unpin();
  validate(source);
});

test('a shared slab is not recycled while any buffer shows it', () => {
  const source = new Evbuffer();
  source.add('precious');
  const child = sharing(source);
  source.drain();
  const others = Array.from({ length: 50 }, () => {
    const other = new Evbuffer();
    other.add('x'.repeat(1000));
    return other;
  });
  expectText(child, 'precious');
  expect(others).toHaveLength(50);
});

test('a release callback that shares and drains again finds whole buffers', () => {
  const source = new Evbuffer();
  const child = new Evbuffer();
  source.addReference(bytes('abc'), () => {
    source.add('new');
    child.addBufferReference(source);
  });
  child.addBufferReference(source);
  source.drain();
  child.drain();
  expectText(source, 'new');
  expectText(child, 'new');
});

test('BU-6: buffers that share in any way, and are then changed in any way, hold what flat arrays hold', () => {
  const step = fc.record({
    what: fc.nat(11),
    subject: fc.nat(2),
    other: fc.nat(2),
    size: fc.nat(3000),
    small: fc.nat(30),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), sizesOfPieces, (steps, sizes) => {
      const loans: { memory: Uint8Array; copy: Uint8Array; releases: number }[] = [];
      const buffers = [new Evbuffer(), new Evbuffer(), new Evbuffer()];
      let flat: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0), Buffer.alloc(0)];
      for (const { what, subject, other, size, small, seed } of steps) {
        const buffer = buffers[subject] as Evbuffer;
        const mine = flat[subject] as Buffer;
        const data = noise(what % 2 === 0 ? small : size, seed);
        const set = (value: Uint8Array): void => {
          flat = flat.with(subject, Buffer.from(value));
        };
        switch (what) {
          case 0:
            buffer.add(data);
            set(Buffer.concat([mine, data]));
            break;
          case 1:
            buffer.addBuffer(chunked(data, sizes));
            set(Buffer.concat([mine, data]));
            break;
          case 2:
          case 3: {
            const loan = { memory: data, copy: data.slice(), releases: 0 };
            loans.push(loan);
            buffer.addReference(data, () => loan.releases++);
            set(Buffer.concat([mine, data]));
            break;
          }
          case 4:
            buffer.prepend(data);
            set(Buffer.concat([data, mine]));
            break;
          case 5:
            buffer.drain(size);
            set(mine.subarray(size));
            break;
          case 6:
          case 7:
            if (subject !== other && mine.length < 60_000) {
              buffer.addBufferReference(buffers[other] as Evbuffer);
              set(Buffer.concat([mine, flat[other] as Buffer]));
            }
            break;
          case 8:
            buffer.pullup(Math.min(size, mine.length));
            break;
          case 9:
            if (subject !== other) {
              buffer.moveTo(buffers[other] as Evbuffer, size);
              flat = flat.with(other, Buffer.concat([flat[other] as Buffer, mine.subarray(0, size)]));
              set(mine.subarray(size));
            }
            break;
          case 10:
            if (mine.length >= 4) {
              const at = size % (mine.length - 3);
              setNumber(buffer, at, 'u32le', seed);
              const copy = Buffer.from(mine);
              copy.writeUInt32LE(seed, at);
              set(copy);
            }
            break;
          default: {
            const room = buffer.reserve(small, 1 + (seed % 3));
            let at = 0;
            for (const segment of room.segments) {
              segment.set(data.subarray(at, at + segment.length));
              at += segment.length;
            }
            room.commit(Math.min(data.length, room.length));
            set(Buffer.concat([mine, data.subarray(0, Math.min(data.length, room.length))]));
          }
        }
        buffers.forEach((one, i) => {
          expectSame(contents(one), flat[i] as Buffer);
        });
        for (const loan of loans) {
          expectSame(loan.memory, loan.copy);
          expect(loan.releases).toBeLessThan(2);
        }
      }
      for (const buffer of buffers) buffer[Symbol.dispose]();
      for (const loan of loans) expect(loan.releases).toBe(1);
    }),
    { numRuns: 60 },
  );
});
