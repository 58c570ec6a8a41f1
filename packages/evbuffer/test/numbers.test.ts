import { Evbuffer, EvbufferError, type FileSource } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { addNumber, getNumber, type NumberFormat, prependNumber, readNumber, setNumber } from 'evbuffer/framing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytes, expectRefused, expectText, pieces, text } from './support/check.js';
import { bytewise, changesOf, chunked, contents, expectCode, expectSame, sizesOfPieces } from './support/chunks.js';

const RANGE = 'ERR_EVBUFFER_OUT_OF_RANGE';
const KIND = 'ERR_EVBUFFER_INVALID_ARGUMENT';
const MALFORMED = 'ERR_EVBUFFER_MALFORMED_VARINT';
const FRONT = 'ERR_EVBUFFER_FROZEN_FRONT';
const BACK = 'ERR_EVBUFFER_FROZEN_BACK';

type Value = number | bigint;

interface Format {
  readonly format: NumberFormat;
  readonly write: (value: Value) => Buffer;
  /** The least and the greatest value, with what is next to them outside; none for floating point. */
  readonly limits: readonly [below: Value, least: Value, greatest: Value, above: Value] | null;
  readonly values: fc.Arbitrary<Value>;
}

function integer(format: NumberFormat, bits: number, signed: boolean, little: boolean): Format {
  const count = bits / 8;
  const least = signed ? -(2n ** BigInt(bits - 1)) : 0n;
  const greatest = signed ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n;
  const big = bits === 64;
  const value = (n: bigint): Value => (big ? n : Number(n));
  return {
    format,
    write: (n) => {
      const result = Buffer.alloc(count);
      let rest = BigInt.asUintN(bits, BigInt(n));
      for (let i = 0; i < count; i++, rest >>= 8n) result[little ? i : count - 1 - i] = Number(rest & 255n);
      return result;
    },
    limits: [value(least - 1n), value(least), value(greatest), value(greatest + 1n)],
    values: fc
      .oneof(
        fc.bigInt({ min: least, max: greatest }),
        fc.constantFrom(least, greatest, 0n, 1n, greatest - 1n, least + 1n),
      )
      .map(value),
  };
}

function leb128(n: Value): Buffer {
  const result: number[] = [];
  let rest = BigInt(n);
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    result.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return Buffer.from(result);
}

function varint(format: NumberFormat, greatest: bigint, big: boolean): Format {
  const value = (n: bigint): Value => (big ? n : Number(n));
  return {
    format,
    write: leb128,
    limits: [value(-1n), value(0n), value(greatest), big ? greatest + 1n : 2 ** 53],
    values: fc
      .oneof(
        fc.bigInt({ min: 0n, max: greatest }),
        fc.nat({ max: 63 }).chain((bit) => {
          const around = 2n ** BigInt(bit);
          return fc.constantFrom(around - 1n, around, around + 1n);
        }),
      )
      .map((n) => value(n > greatest ? greatest : n)),
  };
}

function floating(format: NumberFormat, count: 4 | 8, little: boolean): Format {
  return {
    format,
    write: (n) => {
      const result = Buffer.alloc(count);
      if (count === 4) result[little ? 'writeFloatLE' : 'writeFloatBE'](n as number);
      else result[little ? 'writeDoubleLE' : 'writeDoubleBE'](n as number);
      return result;
    },
    limits: null,
    values: count === 4 ? fc.float() : fc.double(),
  };
}

const FORMATS: readonly Format[] = [
  integer('u8', 8, false, false),
  integer('i8', 8, true, false),
  integer('u16be', 16, false, false),
  integer('u16le', 16, false, true),
  integer('i16be', 16, true, false),
  integer('i16le', 16, true, true),
  integer('u24be', 24, false, false),
  integer('u24le', 24, false, true),
  integer('i24be', 24, true, false),
  integer('i24le', 24, true, true),
  integer('u32be', 32, false, false),
  integer('u32le', 32, false, true),
  integer('i32be', 32, true, false),
  integer('i32le', 32, true, true),
  integer('u40be', 40, false, false),
  integer('u40le', 40, false, true),
  integer('i40be', 40, true, false),
  integer('i40le', 40, true, true),
  integer('u48be', 48, false, false),
  integer('u48le', 48, false, true),
  integer('i48be', 48, true, false),
  integer('i48le', 48, true, true),
  integer('u64be', 64, false, false),
  integer('u64le', 64, false, true),
  integer('i64be', 64, true, false),
  integer('i64le', 64, true, true),
  floating('f32be', 4, false),
  floating('f32le', 4, true),
  floating('f64be', 8, false),
  floating('f64le', 8, true),
  varint('varint', 2n ** 53n - 1n, false),
  varint('varint64', 2n ** 64n - 1n, true),
];

const isVarint = (format: NumberFormat): boolean => format.startsWith('varint');

/** `addNumber` and its like, for a format and a value that are only known at run time. */
const numeric = (value: Value): never => value as never;

for (const { format, write, limits, values } of FORMATS) {
  test(`${format} makes the right bytes at the back and at the front, and is read and looked up as it was written`, () => {
    fc.assert(
      fc.property(values, sizesOfPieces, (value, sizes) => {
        const expected = write(value);
        const buffer = new Evbuffer();
        addNumber(buffer, format, numeric(value));
        expectSame(contents(buffer), expected);
        buffer.add('after');
        buffer.prepend('before');
        expect(getNumber(buffer, 6, format)).toBe(value);
        expect(getNumber(buffer, buffer.position(6), format)).toBe(value);
        buffer.drain(6);
        expect(getNumber(buffer, 0, format)).toBe(value);
        expect(readNumber(buffer, format)).toBe(value);
        expectText(buffer, 'after');
        prependNumber(buffer, format, numeric(value));
        expectSame(contents(buffer), Buffer.concat([expected, Buffer.from('after')]));
        buffer.drain(expected.length);

        const around = Buffer.concat([Buffer.from('xyz'), expected, Buffer.from('z')]);
        const inPieces = chunked(around, sizes);
        expect(getNumber(inPieces, 3, format)).toBe(value);
        expect(inPieces.length).toBe(around.length);
        inPieces.drain(3);
        expect(readNumber(inPieces, format)).toBe(value);
        expectText(inPieces, 'z');
      }),
      { numRuns: 60 },
    );
  });

  test(`${format} is null until its last byte has come, and nothing is consumed before`, () => {
    fc.assert(
      fc.property(values, (value) => {
        const expected = write(value);
        const buffer = new Evbuffer();
        const changes = changesOf(buffer);
        expect(readNumber(buffer, format)).toBeNull();
        expect(getNumber(buffer, 0, format)).toBeNull();
        for (const [i, byte] of expected.entries()) {
          expect(readNumber(buffer, format)).toBeNull();
          expect(getNumber(buffer, 0, format)).toBeNull();
          expect(getNumber(buffer, buffer.length, format)).toBeNull();
          expect(buffer.length).toBe(i);
          buffer.addReference(Uint8Array.of(byte));
        }
        changes.length = 0;
        expect(getNumber(buffer, 0, format)).toBe(value);
        expect(changes).toEqual([]);
        expect(readNumber(buffer, format)).toBe(value);
        expect(changes).toEqual([{ originalLength: expected.length, added: 0, removed: expected.length }]);
        validate(buffer);
      }),
      { numRuns: 30 },
    );
  });

  if (limits !== null) {
    test(`${format} takes its least and its greatest value, and nothing beyond`, () => {
      const [below, least, greatest, above] = limits;
      const buffer = pieces('abcdefghijkl');
      for (const value of [least, greatest]) {
        const one = new Evbuffer();
        addNumber(one, format, numeric(value));
        prependNumber(one, format, numeric(value));
        expect([readNumber(one, format), readNumber(one, format)]).toEqual([value, value]);
        expect(one.length).toBe(0);
      }
      for (const value of [below, above]) {
        expectRefused(RANGE, [buffer], () => addNumber(buffer, format, numeric(value)));
        expectRefused(RANGE, [buffer], () => prependNumber(buffer, format, numeric(value)));
        if (!isVarint(format)) expectRefused(RANGE, [buffer], () => setNumber(buffer, 1, format, numeric(value)));
        expect(expectCode(RANGE, () => addNumber(buffer, format, numeric(value)))).toBeInstanceOf(RangeError);
      }
      if (typeof least === 'number') {
        for (const value of [0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
          expectRefused(RANGE, [buffer], () => addNumber(buffer, format, numeric(value)));
        }
      }
    });
  }

  test(`${format} refuses a ${limits !== null && typeof limits[0] === 'bigint' ? 'number' : 'bigint'} and what is no number at all`, () => {
    const buffer = pieces('abcdefghijkl');
    const mixedUp = limits !== null && typeof limits[0] === 'bigint' ? 1 : 1n;
    for (const value of [mixedUp, '1', null, undefined, {}]) {
      expectRefused(KIND, [buffer], () => addNumber(buffer, format, value as never));
      expectRefused(KIND, [buffer], () => prependNumber(buffer, format, value as never));
      expect(expectCode(KIND, () => addNumber(buffer, format, value as never))).toBeInstanceOf(TypeError);
      if (!isVarint(format)) expectRefused(KIND, [buffer], () => setNumber(buffer, 0, format, value as never));
    }
  });

  if (!isVarint(format)) {
    test(`${format} is set in place, wherever it lies, without a notification`, () => {
      fc.assert(
        fc.property(values, sizesOfPieces, fc.nat(20), (value, sizes, at) => {
          const expected = write(value);
          const whole = Buffer.alloc(20 + expected.length, 'abcdefghijklmnopqrstuvwxyz');
          const buffer = chunked(whole, sizes);
          const changes = changesOf(buffer);
          setNumber(buffer, at, format, numeric(value));
          expected.copy(whole, at);
          expectSame(contents(buffer), whole);
          expect(getNumber(buffer, at, format)).toBe(value);
          setNumber(buffer, buffer.position(at), format, numeric(value));
          expectSame(contents(buffer), whole);
          expect(changes).toEqual([]);
        }),
        { numRuns: 40 },
      );
      const count = write(limits === null ? 1 : limits[1]).length;
      const short = bytewise(new Uint8Array(count + 2));
      for (const at of [3, count + 2]) {
        expectRefused(RANGE, [short], () => setNumber(short, at, format, numeric(limits === null ? 1 : limits[1])));
      }
      setNumber(short, 2, format, numeric(limits === null ? 1 : limits[1]));
    });
  }
}

test('formats that do not exist are refused', () => {
  const buffer = pieces('abcdefghijkl');
  for (const format of [
    'u16',
    'u8be',
    'u56be',
    'U16BE',
    '',
    'varint32',
    'toString',
    'constructor',
    null,
    undefined,
    16,
  ]) {
    const wrong = format as never;
    expectRefused(KIND, [buffer], () => readNumber(buffer, wrong));
    expectRefused(KIND, [buffer], () => getNumber(buffer, 0, wrong));
    expectRefused(KIND, [buffer], () => addNumber(buffer, wrong, 1 as never));
    expectRefused(KIND, [buffer], () => prependNumber(buffer, wrong, 1 as never));
    expectRefused(KIND, [buffer], () => setNumber(buffer, 0, wrong, 1 as never));
    expectCode(KIND, () => readNumber(new Evbuffer(), wrong));
  }
});

test('a number is looked up at a position up to the end, and not beyond', () => {
  const buffer = pieces('ab', 'c');
  expect(getNumber(buffer, 1, 'u16be')).toBe(0x6263);
  expect(getNumber(buffer, 2, 'u16be')).toBeNull();
  expect(getNumber(buffer, 3, 'u8')).toBeNull();
  expectRefused(RANGE, [buffer], () => getNumber(buffer, 4, 'u8'));
  expectRefused(RANGE, [buffer], () => getNumber(buffer, -1, 'u8'));
  expectRefused(RANGE, [buffer], () => getNumber(buffer, 0.5, 'u8'));
  expectRefused(RANGE, [buffer], () => setNumber(buffer, 4, 'u8', 1));
  expectRefused(RANGE, [buffer], () => setNumber(buffer, -1, 'u8', 1));
});

test('frozen ends refuse what changes them; looking and setting are allowed', () => {
  const buffer = pieces('ab', 'cd');
  buffer.freeze('front');
  expectRefused(FRONT, [buffer], () => readNumber(buffer, 'u8'));
  expectRefused(FRONT, [buffer], () => readNumber(buffer, 'u32be'));
  expectRefused(FRONT, [buffer], () => prependNumber(buffer, 'u8', 1));
  expect(getNumber(buffer, 1, 'u16be')).toBe(0x6263);
  addNumber(buffer, 'u8', 0x65);
  buffer.unfreeze('front');
  buffer.freeze('back');
  expectRefused(BACK, [buffer], () => addNumber(buffer, 'u8', 1));
  prependNumber(buffer, 'u8', 0x5f);
  expect(readNumber(buffer, 'u16be')).toBe(0x5f61);
  expectText(buffer, 'bcde');
  const empty = new Evbuffer();
  empty.freeze('front');
  expect(readNumber(empty, 'u8')).toBeNull();
});

test('adding and prepending a number is one change each', () => {
  const buffer = pieces('abc');
  const changes = changesOf(buffer);
  addNumber(buffer, 'u64be', 1n);
  prependNumber(buffer, 'varint', 300);
  expect(changes).toEqual([
    { originalLength: 3, added: 8, removed: 0 },
    { originalLength: 11, added: 2, removed: 0 },
  ]);
});

test('a number is prepended in the gap that draining left, and never over foreign memory', () => {
  const memory = bytes('....abcd');
  const buffer = new Evbuffer();
  buffer.addLeased(memory, 4, 8, { release: () => undefined }, 1);
  prependNumber(buffer, 'u32be', 0x31323334);
  expectText(buffer, '1234abcd');
  expect(text(memory)).toBe('....abcd');
  const own = new Evbuffer();
  own.add('0123456789');
  own.drain(4);
  prependNumber(own, 'u32be', 0x77787980);
  expect(own.peek()).toHaveLength(1);
  own.drain(2);
  prependNumber(own, 'u64be', 1n);
  expect(own.length).toBe(16);
  expect(readNumber(own, 'u64be')).toBe(1n);
  expect(readNumber(own, 'u16be')).toBe(0x7980);
});

test('setNumber copies memory that is not the buffer’s own: its owner and other buffers never see the new value', () => {
  const memory = bytes('referenced');
  let released = 0;
  const buffer = new Evbuffer();
  buffer.addReference(memory, () => released++);
  buffer.add('own bytes');
  const child = new Evbuffer();
  child.addBufferReference(buffer);
  const grandchild = new Evbuffer();
  grandchild.addBufferReference(child);

  setNumber(buffer, 0, 'u32be', 0x52454645);
  setNumber(buffer, 10, 'u24be', 0x4f574e);
  setNumber(child, 8, 'u40be', 0x2b2b2b2b2b);
  expectText(buffer, 'REFErencedOWN bytes');
  expectText(child, 'referenc+++++ bytes');
  expectText(grandchild, 'referencedown bytes');
  expect(text(memory)).toBe('referenced');
  expect(released).toBe(0);
  for (const one of [buffer, child, grandchild]) one.drain();
  expect(released).toBe(1);
  expect(text(memory)).toBe('referenced');
});

test('setNumber releases memory that no buffer holds any more once it was copied, exactly once', () => {
  const memory = bytes('abcd');
  let released = 0;
  const buffer = new Evbuffer();
  buffer.addReference(memory, () => released++);
  setNumber(buffer, 1, 'u16be', 0x5859);
  expectText(buffer, 'aXYd');
  setNumber(buffer, 0, 'u8', 0x5a);
  buffer.drain();
  expect(released).toBe(1);
  expect(text(memory)).toBe('abcd');
});

test('a line end that setNumber wrote is found where readLine had searched in vain', () => {
  const buffer = Evbuffer.from('one?two');
  expect(buffer.readLine()).toBe(null);
  setNumber(buffer, 3, 'u8', 10);
  expect(buffer.readLine()).toBe('one');
  expect(buffer.readLine()).toBe(null);
  setNumber(buffer, 1, 'u16be', 0x0d0a);
  expect(buffer.readLine()).toBe('t');
  expect(buffer.length).toBe(0);
});

test('setNumber refuses pinned memory', () => {
  const buffer = pieces('abc', 'def');
  const own = new Evbuffer();
  own.add('abcdef');
  for (const one of [buffer, own]) {
    one.pin(6);
    expectRefused('ERR_EVBUFFER_PINNED', [one], () => setNumber(one, 1, 'u8', 1));
    expectRefused('ERR_EVBUFFER_PINNED', [one], () => setNumber(one, 2, 'u16be', 1));
    one.unpin();
    setNumber(one, 1, 'u8', 0x42);
    expectText(one, 'aBcdef');
  }
});

test('setNumber refuses the varint formats, whose length depends on the value', () => {
  const buffer = pieces('abcdefghijkl');
  expectRefused(KIND, [buffer], () => setNumber(buffer, 0, 'varint' as never, 1 as never));
  expectRefused(KIND, [buffer], () => setNumber(buffer, 0, 'varint64' as never, 1n as never));
});

test('malformed LEB128 is refused wherever it is cut, and consumes nothing', () => {
  const cases: readonly (readonly [NumberFormat, string])[] = [
    ['varint', 'ffffffffffffff1f'], // 2^56 - 1 … with a top of 0x1f: 2^54 - 1
    ['varint', '8080808080808010'], // 2^53
    ['varint', 'ffffffffffffffffffffff'],
    ['varint', 'ffffffffffffffffff01'],
    ['varint64', 'ffffffffffffffffff02'], // 2^64
    ['varint64', 'ffffffffffffffffff7f'],
    ['varint64', 'ffffffffffffffffffff00'],
    ['varint64', '8080808080808080808080'],
  ];
  for (const [format, hex] of cases) {
    const whole = new Uint8Array(Buffer.from(hex, 'hex'));
    for (const buffer of [chunked(whole, [100]), bytewise(whole), chunked(whole, [3, 2])]) {
      buffer.add('rest');
      const error = expectCode(MALFORMED, () => readNumber(buffer, format));
      expect(error).toBeInstanceOf(EvbufferError);
      expectRefused(MALFORMED, [buffer], () => readNumber(buffer, format));
      expectRefused(MALFORMED, [buffer], () => getNumber(buffer, 0, format));
      expect(buffer.length).toBe(whole.length + 4);
    }
  }
});

test('the greatest varints are read, byte by byte', () => {
  const cases: readonly (readonly [NumberFormat, string, Value])[] = [
    ['varint', '00', 0],
    ['varint', '7f', 127],
    ['varint', '8001', 128],
    ['varint', 'ac02', 300],
    ['varint', 'ffffffffffffff0f', Number.MAX_SAFE_INTEGER],
    ['varint64', 'ac02', 300n],
    ['varint64', 'ffffffffffffff0f', 2n ** 53n - 1n],
    ['varint64', '8080808080808010', 2n ** 53n],
    ['varint64', 'ffffffffffffffffff01', 2n ** 64n - 1n],
    ['varint64', '80808080808080808001', 2n ** 63n],
  ];
  for (const [format, hex, value] of cases) {
    const whole = new Uint8Array(Buffer.from(hex, 'hex'));
    const buffer = bytewise(whole);
    expect(getNumber(buffer, 0, format)).toBe(value);
    expect(readNumber(buffer, format)).toBe(value);
    const written = new Evbuffer();
    addNumber(written, format, numeric(value));
    expectSame(contents(written), whole);
    for (let cut = 0; cut < whole.length; cut++)
      expect(readNumber(bytewise(whole.subarray(0, cut)), format)).toBeNull();
  }
});

test('special floating point values keep their bits', () => {
  for (const format of ['f32be', 'f32le', 'f64be', 'f64le'] as const) {
    for (const value of [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1.5]) {
      const buffer = new Evbuffer();
      addNumber(buffer, format, value);
      expect(Object.is(readNumber(buffer, format), value)).toBe(true);
    }
  }
});

test('a varint is read whatever is behind its last byte', () => {
  const unreadable: FileSource = {
    length: 10,
    offset: 0,
    descriptor: -1,
    readSync: () => expect.unreachable(),
    read: () => expect.unreachable(),
    retain: () => undefined,
    release: () => undefined,
  };
  for (const varint of [[5], [0x85, 1]]) {
    const value = varint.length === 1 ? 5 : 133;
    const lent = new Uint8Array(10);
    const beforeDetached = bytewise(Uint8Array.from(varint));
    beforeDetached.addReference(lent);
    structuredClone(lent.buffer, { transfer: [lent.buffer] });
    const beforeFile = bytewise(Uint8Array.from(varint));
    beforeFile.addFileSegment(unreadable);
    for (const buffer of [beforeDetached, beforeFile]) {
      expect(getNumber(buffer, 0, 'varint')).toBe(value);
      expect(getNumber(buffer, 0, 'varint64')).toBe(BigInt(value));
      expect(readNumber(buffer, 'varint')).toBe(value);
      expect(buffer.length).toBe(10);
    }
    expect(beforeFile.fileBytes).toBe(10);
  }
  const cut = pieces('\x80');
  const lent = new Uint8Array(1);
  cut.addReference(lent);
  structuredClone(lent.buffer, { transfer: [lent.buffer] });
  expectCode('ERR_EVBUFFER_DETACHED', () => readNumber(cut, 'varint'));
});

test('finite numbers that 32 bits would make infinite are refused', () => {
  const buffer = pieces('abcdefgh');
  for (const format of ['f32be', 'f32le'] as const) {
    for (const value of [1e300, -1e300, 3.4028236e38]) {
      expectRefused(RANGE, [buffer], () => addNumber(buffer, format, value));
      expectRefused(RANGE, [buffer], () => prependNumber(buffer, format, value));
      expectRefused(RANGE, [buffer], () => setNumber(buffer, 0, format, value));
    }
    const one = new Evbuffer();
    for (const value of [Infinity, -Infinity, Number.NaN, 3.4028234663852886e38, 1e-300]) {
      addNumber(one, format, value);
      expect(readNumber(one, format)).toBe(Math.fround(value));
    }
  }
});
