import { Evbuffer, EvbufferError, type EvbufferPosition } from 'evbuffer';
import { addNumber, getNumber, prependNumber, readFramed, readNumber, setNumber, takeFramed } from 'evbuffer/framing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytes, expectText, pieces, text } from './support/check.js';
import {
  bytewise,
  changesOf,
  chunked,
  contents,
  expectCode,
  expectSame,
  noise,
  sizesOfPieces,
} from './support/chunks.js';

const RANGE = 'ERR_EVBUFFER_OUT_OF_RANGE';
const KIND = 'ERR_EVBUFFER_INVALID_ARGUMENT';
const STALE = 'ERR_EVBUFFER_STALE_POSITION';

/** Each way of using a position that looks at the buffer. */
const USES: readonly (readonly [string, (buffer: Evbuffer, position: EvbufferPosition) => unknown])[] = [
  ['advance', (b, p) => b.advance(p, 0)],
  ['copyOut', (b, p) => b.copyOut(new Uint8Array(1), p)],
  ['peek', (b, p) => b.peek({ start: p })],
  ['indexOf from', (b, p) => b.indexOf('a', p)],
  ['indexOf to', (b, p) => b.indexOf('a', 0, p)],
  ['indexOfEol', (b, p) => b.indexOfEol('lf', p)],
  ['getNumber', (b, p) => getNumber(b, p, 'u8')],
  ['setNumber', (b, p) => setNumber(b, p, 'u8', 1)],
  ['toString from', (b, p) => b.toString('utf8', p)],
  ['toString to', (b, p) => b.toString('utf8', 0, p)],
  ['toUint8Array from', (b, p) => b.toUint8Array(p)],
  ['toUint8Array to', (b, p) => b.toUint8Array(0, p)],
];

test('an empty buffer has one position, which can not be advanced (regress A25, row 44)', () => {
  const buffer = new Evbuffer();
  const start = buffer.position(0);
  expect(start.index).toBe(0);
  expect(buffer.advance(start, 0).index).toBe(0);
  expect(expectCode(RANGE, () => buffer.advance(start, 1))).toBeInstanceOf(RangeError);
  expect(expectCode(RANGE, () => buffer.position(1))).toBeInstanceOf(RangeError);
  expect(start.index).toBe(0);
});

test('positions reach the end, step by step or at once, and not beyond it (regress A25, row 44)', () => {
  const buffer = new Evbuffer();
  for (const part of [5000, 4000, 3000]) {
    const room = buffer.reserve(part);
    room.commit(part);
  }
  expect(buffer.length).toBe(12_000);
  expectCode(RANGE, () => buffer.position(13_000));
  const start = buffer.position(0);
  expectCode(RANGE, () => buffer.advance(start, 13_000));
  let position = start;
  for (const [step, index] of [
    [10_000, 10_000],
    [1000, 11_000],
    [1000, 12_000],
  ] as const) {
    position = buffer.advance(position, step);
    expect(position.index).toBe(index);
  }
  expectCode(RANGE, () => buffer.advance(position, 1000));
  expectCode(RANGE, () => buffer.advance(position, 1));
  expect(position.index).toBe(12_000);
  expect(start.index).toBe(0);
  expect(buffer.position(12_000).index).toBe(12_000);
});

test('BU-3: a position at the very end sees what is appended later (regress I: stale end pointer)', () => {
  const ways: readonly (readonly [string, (buffer: Evbuffer) => unknown])[] = [
    ['add', (b) => b.add('needle')],
    ['addReference', (b) => b.addReference(bytes('needle'))],
    ['addBuffer', (b) => b.addBuffer(pieces('nee', 'dle'))],
    ['addBufferReference', (b) => b.addBufferReference(pieces('nee', 'dle'))],
    ['moveTo', (b) => pieces('needle', 'x').moveTo(b, 6)],
    ['addVector', (b) => b.addVector(['nee', 'dle'])],
    [
      'reserve and commit',
      (b) => {
        const room = b.reserve(6);
        room.segments[0]?.set(bytes('needle'));
        room.commit(6);
      },
    ],
    [
      'addNumber, byte by byte',
      (b) => {
        for (const byte of bytes('needle')) addNumber(b, 'u8', byte);
      },
    ],
  ];
  for (const [name, append] of ways) {
    for (const before of [[], ['abc'], ['ab', 'needl']]) {
      const buffer = pieces(...before);
      const end = buffer.position(buffer.length);
      expect(buffer.indexOf('needle', end), name).toBe(-1);
      append(buffer);
      expect(end.index, name).toBe(before.join('').length);
      expect(buffer.indexOf('needle', end), name).toBe(end.index);
      expect(getNumber(buffer, end, 'u8'), name).toBe(0x6e);
      expect(text(buffer.toUint8Array(end)), name).toBe('needle');
      expect(buffer.advance(end, 6).index, name).toBe(buffer.length);
      expectCode(RANGE, () => buffer.advance(end, 7));
    }
  }
});

test('a position is immutable: advancing gives another one', () => {
  const buffer = pieces('abc', 'def');
  const position = buffer.position(2);
  const further = buffer.advance(position, 3);
  expect(further).not.toBe(position);
  expect([position.index, further.index]).toEqual([2, 5]);
  try {
    (position as { index: number }).index = 4;
  } catch {
    // Refusing is as good as ignoring.
  }
  expect(position.index).toBe(2);
  expect(text(buffer.toUint8Array(position))).toBe('cdef');
});

test('a position works wherever a number does', () => {
  const buffer = pieces('ab', 'c\nd', 'ef\n');
  const at = (index: number): EvbufferPosition => buffer.position(index);
  const into = new Uint8Array(3);
  expect(buffer.copyOut(into, at(1))).toBe(3);
  expect(text(into)).toBe('bc\n');
  expect(buffer.copyOut(into, at(8))).toBe(0);
  expect(buffer.peek({ start: at(3), length: 3 }).map(text)).toEqual(['\nd', 'e']);
  expect(buffer.indexOf('d', at(4))).toBe(4);
  expect(buffer.indexOf('d', at(5))).toBe(-1);
  expect(buffer.indexOf('de', 0, at(6))).toBe(4);
  expect(buffer.indexOf('de', at(2), at(5))).toBe(-1);
  expect(buffer.indexOfEol('lf', at(4))).toEqual({ index: 7, length: 1 });
  expect(getNumber(buffer, at(1), 'u16be')).toBe(0x6263);
  expect(buffer.toString('latin1', at(1), at(3))).toBe('bc');
  expect(text(buffer.toUint8Array(at(4), at(7)))).toBe('def');
  setNumber(buffer, at(4), 'u16be', 0x2121);
  expectText(buffer, 'abc\n!!f\n');
});

const REMOVALS: readonly (readonly [string, (buffer: Evbuffer) => unknown])[] = [
  ['drain', (b) => b.drain(1)],
  ['drain of everything', (b) => b.drain()],
  ['remove', (b) => b.remove(2)],
  ['remove into', (b) => b.remove(new Uint8Array(1))],
  ['readLine', (b) => b.readLine()],
  ['readLines', (b) => b.readLines()],
  ['readNumber', (b) => readNumber(b, 'u16be')],
  ['readFramed', (b) => readFramed(b, { format: 'u8', adjust: -94 })],
  ['takeFramed', (b) => takeFramed(b, { format: 'u8', adjust: -94 })],
  ['moveTo', (b) => b.moveTo(new Evbuffer(), 1)],
  ['take', (b) => b.take(2)],
  ['take of everything', (b) => b.take()],
  ['being the source of addBuffer', (b) => new Evbuffer().addBuffer(b)],
  ['being the source of prependBuffer', (b) => new Evbuffer().prependBuffer(b)],
  ['clear', (b) => b.clear()],
  ['dispose', (b) => b[Symbol.dispose]()],
  ['prepend', (b) => b.prepend('x')],
  ['prependNumber', (b) => prependNumber(b, 'u8', 1)],
  ['prependBuffer', (b) => b.prependBuffer(pieces('x'))],
];

for (const [name, change] of REMOVALS) {
  test(`BU-3: after ${name} an older position is refused, wherever it is used`, () => {
    const buffer = pieces('ab', 'c\nd');
    const positions = [buffer.position(0), buffer.position(1), buffer.position(buffer.length)];
    change(buffer);
    // Even when the same length is there again.
    buffer.add('xxxxxxx');
    for (const position of positions) {
      for (const [use, act] of USES) {
        const before = buffer.toString('latin1');
        const error = expectCode(STALE, () => act(buffer, position));
        expect(error, use).toBeInstanceOf(EvbufferError);
        expect(buffer.toString('latin1'), use).toBe(before);
      }
    }
    expect(buffer.position(1).index).toBe(1);
    expect(buffer.indexOf('xxx', buffer.position(0))).toBeGreaterThanOrEqual(0);
  });
}

test('BU-3: what keeps every byte in its place keeps positions good', () => {
  const keeping: readonly (readonly [string, (buffer: Evbuffer) => unknown])[] = [
    ['pullup', (b) => b.pullup()],
    ['ensureSpace', (b) => b.ensureSpace(5000)],
    ['freeze', (b) => b.freeze('front')],
    ['freeze back', (b) => b.freeze('back')],
    ['unfreeze', (b) => [b.unfreeze('front'), b.unfreeze('back')]],
    ['pin', (b) => b.pin(4)],
    ['unpin', (b) => b.unpin()],
    ['drain of nothing', (b) => b.drain(0)],
    ['remove of nothing', (b) => b.remove(0)],
    ['prepend of nothing', (b) => b.prepend('')],
    ['moveTo of nothing', (b) => b.moveTo(new Evbuffer(), 0)],
    ['readLine without a line', (b) => b.readLine('nul')],
    ['readFramed without a frame', (b) => readFramed(b, { format: 'u8' })],
    ['reserve', (b) => b.reserve(100)],
    ['being shared', (b) => new Evbuffer().addBufferReference(b)],
    ['being copied', (b) => Evbuffer.from(b)],
    ['setNumber', (b) => setNumber(b, 0, 'u8', 0x61)],
    ['a refused drain', (b) => expectCode(RANGE, () => b.drain(-1))],
  ];
  const buffer = pieces('ab', 'cd', 'ef');
  const position = buffer.position(3);
  const end = buffer.position(6);
  for (const [name, act] of keeping) {
    act(buffer);
    expect(text(buffer.toUint8Array(position)), name).toBe('def');
    expect(buffer.indexOf('ef', position), name).toBe(4);
    expect(buffer.advance(position, 3).index, name).toBe(6);
    expect(text(buffer.toUint8Array(end)), name).toBe('');
  }
});

test('a position of another buffer is refused, also when that buffer holds the same bytes', () => {
  const buffer = pieces('abc');
  const foreign = pieces('abc').position(1);
  for (const [use, act] of USES) {
    const error = expectCode(KIND, () => act(buffer, foreign));
    expect(error, use).toBeInstanceOf(TypeError);
  }
  // Bytes that moved elsewhere do not take their positions with them.
  const mine = buffer.position(1);
  const target = new Evbuffer();
  target.addBuffer(buffer);
  expectCode(KIND, () => target.advance(mine, 0));
  expectText(target, 'abc');
});

test('what is no position is refused', () => {
  const buffer = pieces('abc');
  const wrong = (value: unknown): never => value as never;
  for (const value of [null, 'x', {}, { index: 1 }, [1]]) {
    for (const [use, act] of USES) {
      expect(
        expectCode(KIND, () => act(buffer, wrong(value))),
        use,
      ).toBeInstanceOf(TypeError);
    }
  }
  for (const value of [-1, 0.5, Number.NaN, 4, Number.POSITIVE_INFINITY])
    expectCode(RANGE, () => buffer.position(value));
  for (const value of ['1', null, undefined, 1n]) expectCode(KIND, () => buffer.position(wrong(value)));
  const position = buffer.position(1);
  for (const value of [-1, 0.5, Number.NaN, 3, Number.POSITIVE_INFINITY]) {
    expectCode(RANGE, () => buffer.advance(position, value));
  }
  expectCode(KIND, () => buffer.advance(position, wrong('1')));
  expectCode(KIND, () => buffer.advance(wrong(1), wrong('1')));
});

test('taking positions notifies no one and changes no piece', () => {
  const buffer = pieces('abc', 'def');
  const changes = changesOf(buffer);
  buffer.advance(buffer.position(1), 3);
  expect(changes).toEqual([]);
  expect(buffer.peek().map(text)).toEqual(['abc', 'def']);
});

test('BU-3: positions taken at any time, between appends of any kind, mean the same byte as their index', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          size: fc.integer({ min: 0, max: 60 }),
          kind: fc.nat(3),
          at: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        {
          minLength: 1,
          maxLength: 20,
        },
      ),
      sizesOfPieces,
      (steps, sizes) => {
        const whole = noise(3000, steps.length);
        const buffer = new Evbuffer();
        const positions: EvbufferPosition[] = [];
        let length = 0;
        const take = (at: number): void => {
          positions.push(buffer.position(Math.floor(at * length)), buffer.position(length));
        };
        take(0);
        for (const { size, kind, at } of steps) {
          const part = whole.slice(length, length + size);
          if (kind === 0) buffer.add(part);
          else if (kind === 1) buffer.addReference(part);
          else if (kind === 2) buffer.addBuffer(chunked(part, sizes));
          else {
            buffer.addBufferReference(bytewise(part));
            buffer.pullup(Math.floor(at * buffer.length));
          }
          length += size;
          take(at);
        }
        const all = whole.subarray(0, length);
        expectSame(contents(buffer), all);
        for (const position of positions) {
          expectSame(buffer.toUint8Array(position), all.subarray(position.index));
          const step = Math.floor((length - position.index) / 2);
          const further = buffer.advance(position, step);
          expect(further.index).toBe(position.index + step);
          expect(getNumber(buffer, further, 'u8')).toBe(further.index < length ? all[further.index] : null);
        }
      },
    ),
    { numRuns: 150 },
  );
});
