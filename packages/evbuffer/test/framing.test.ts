import { Evbuffer, EvbufferError } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { addNumber, type NumberFormat, readFramed, takeFramed } from 'evbuffer/framing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytes, expectRefused, expectText, pieces, text } from './support/check.js';
import { bytewise, changesOf, contents, expectCode, expectSame, noise, sizesOfPieces } from './support/chunks.js';
import { MemoryFile } from './support/memory-file.js';

const TOO_LARGE = 'ERR_EVBUFFER_FRAME_TOO_LARGE';
const MALFORMED = 'ERR_EVBUFFER_MALFORMED_FRAME';
const HEADERS: readonly NumberFormat[] = ['u8', 'i8', 'u16be', 'u16le', 'u24be', 'i32le', 'u40be', 'u48le', 'varint'];

type Options = Parameters<typeof readFramed>[1];

function framed(payload: Uint8Array, format: NumberFormat = 'u32be', adjust = 0): Uint8Array {
  const buffer = new Evbuffer();
  const big = format.endsWith('64') || format.includes('64');
  addNumber(buffer, format, (big ? BigInt(payload.length - adjust) : payload.length - adjust) as never);
  buffer.add(payload);
  return buffer.remove();
}

/** Both ways of taking a frame, as bytes. */
const WAYS: readonly (readonly [string, (buffer: Evbuffer, options?: Options) => Uint8Array | null])[] = [
  ['readFramed', (buffer, options) => readFramed(buffer, options)],
  [
    'takeFramed',
    (buffer, options) => {
      const taken = takeFramed(buffer, options);
      if (taken === null) return null;
      validate(taken);
      return contents(taken);
    },
  ],
];

for (const [name, take] of WAYS) {
  test(`${name} gives null until the last byte of a frame has come, wherever the arrival was split`, () => {
    for (const format of [...HEADERS, 'u64be', 'i64le', 'varint64'] as NumberFormat[]) {
      for (const payload of ['', 'p', 'payload', 'x'.repeat(100)]) {
        const whole = framed(bytes(payload), format);
        const byByte = new Evbuffer();
        const changes = changesOf(byByte);
        for (const byte of whole) {
          expect(take(byByte, { format })).toBeNull();
          byByte.addReference(Uint8Array.of(byte));
        }
        expect(changes.every(({ removed }) => removed === 0)).toBe(true);
        expect(text(take(byByte, { format }))).toBe(payload);
        expect(byByte.length).toBe(0);

        for (let cut = 0; cut <= whole.length; cut++) {
          const buffer = new Evbuffer();
          buffer.addReference(whole.slice(0, cut));
          if (cut < whole.length) expect(take(buffer, { format })).toBeNull();
          expect(buffer.length).toBe(cut);
          buffer.add(whole.slice(cut));
          buffer.add('next');
          expect(text(take(buffer, { format }))).toBe(payload);
          expectText(buffer, 'next');
        }
      }
    }
  });

  test(`${name} reads u32be headers by default, and takes frames of no bytes`, () => {
    const buffer = pieces('\0\0\0\x03abc\0\0\0\0\0\0\0\x01', 'd\0\0\0\x02e');
    expect([take(buffer), take(buffer), take(buffer)].map(text)).toEqual(['abc', '', 'd']);
    expect(take(buffer)).toBeNull();
    expect(take(buffer, {})).toBeNull();
    expectText(buffer, '\0\0\0\x02e');
    expect(take(new Evbuffer())).toBeNull();
  });

  test(`${name} counts header and payload as one change`, () => {
    const buffer = pieces('\0\0\0', '\x03ab', 'cd');
    const changes = changesOf(buffer);
    take(buffer);
    expect(changes).toEqual([{ originalLength: 8, added: 0, removed: 7 }]);
    take(buffer);
    expect(changes).toHaveLength(1);
  });

  test(`${name} adds \`adjust\` to what the header says: a length that counts the header, or leaves out a trailer`, () => {
    const inclusive = bytewise(bytes('\x00\x05abc\x00\x02\x00\x03d'));
    const options = { format: 'u16be', adjust: -2 } as const;
    expect([take(inclusive, options), take(inclusive, options), take(inclusive, options)].map(text)).toEqual([
      'abc',
      '',
      'd',
    ]);
    expect(inclusive.length).toBe(0);
    const trailer = pieces('\x02ab\r\n\x00\r\n');
    expect(text(take(trailer, { format: 'u8', adjust: 2 }))).toBe('ab\r\n');
    expect(text(take(trailer, { format: 'u8', adjust: 2 }))).toBe('\r\n');
  });

  test(`${name} refuses a frame of more than maxBytes as soon as its header is there, and leaves it`, () => {
    const atLimit = pieces('\x05abcde');
    expect(text(take(atLimit, { format: 'u8', maxBytes: 5 }))).toBe('abcde');
    const over = pieces('\x06');
    expect(expectCode(TOO_LARGE, () => take(over, { format: 'u8', maxBytes: 5 }))).toBeInstanceOf(EvbufferError);
    expectRefused(TOO_LARGE, [over], () => take(over, { format: 'u8', maxBytes: 5 }));
    // Within the limit only by what adjust takes off, and beyond it by what it adds.
    expect(take(over, { format: 'u8', adjust: -1, maxBytes: 5 })).toBeNull();
    const adjusted = pieces('\x04abcd');
    expectRefused(TOO_LARGE, [adjusted], () => take(adjusted, { format: 'u8', adjust: 2, maxBytes: 5 }));
    const zero = pieces('\0\x01x');
    expect(text(take(zero, { format: 'u8', maxBytes: 0 }))).toBe('');
    expectRefused(TOO_LARGE, [zero], () => take(zero, { format: 'u8', maxBytes: 0 }));
    expect(text(take(zero, { format: 'u8' }))).toBe('x');
  });

  test(`${name} refuses frames of more than 16 MiB unless told otherwise`, () => {
    const limit = 16 * 1024 * 1024;
    const buffer = new Evbuffer();
    addNumber(buffer, 'u32be', limit + 1);
    expectRefused(TOO_LARGE, [buffer], () => take(buffer));
    expect(take(buffer, { maxBytes: limit + 1 })).toBeNull();
    buffer.addReference(new Uint8Array(limit + 1));
    expectCode(TOO_LARGE, () => take(buffer));
    expect(take(buffer, { maxBytes: limit + 1 })).toHaveLength(limit + 1);
    addNumber(buffer, 'u32be', limit);
    buffer.addReference(new Uint8Array(limit));
    expect(take(buffer)).toHaveLength(limit);
    expect(buffer.length).toBe(0);
    for (const [format, value] of [
      ['u64be', 2n ** 64n - 1n],
      ['u64le', 2n ** 63n],
      ['varint64', 2n ** 53n],
      ['varint', Number.MAX_SAFE_INTEGER],
      ['u32le', 0xffffffff],
    ] as const) {
      const huge = new Evbuffer();
      addNumber(huge, format, value as never);
      expectRefused(TOO_LARGE, [huge], () => take(huge, { format }));
    }
  });

  test(`${name} refuses a frame of less than no bytes, and leaves it`, () => {
    for (const [header, options] of [
      ['\xff', { format: 'i8' }],
      ['\x80\0\0\0', { format: 'i32be' }],
      ['\xff\xff\xff\xff\xff\xff\xff\xff', { format: 'i64be' }],
      ['\x01', { format: 'u8', adjust: -2 }],
      ['\x01', { format: 'varint', adjust: -2 }],
    ] as const) {
      const buffer = pieces(header, 'payload');
      expect(expectCode(MALFORMED, () => take(buffer, options))).toBeInstanceOf(EvbufferError);
      expectRefused(MALFORMED, [buffer], () => take(buffer, options));
    }
  });

  test(`${name} refuses a malformed varint header, and leaves it`, () => {
    const buffer = pieces('\xff'.repeat(12), 'payload');
    for (const format of ['varint', 'varint64'] as const) {
      expectRefused('ERR_EVBUFFER_MALFORMED_VARINT', [buffer], () => take(buffer, { format }));
    }
  });

  test(`${name} refuses a frozen front`, () => {
    const buffer = pieces('\x01a\x01');
    buffer.freeze('front');
    expectRefused('ERR_EVBUFFER_FROZEN_FRONT', [buffer], () => take(buffer, { format: 'u8' }));
    buffer.unfreeze('front');
    buffer.freeze('back');
    expect(text(take(buffer, { format: 'u8' }))).toBe('a');
    const empty = new Evbuffer();
    empty.freeze('front');
    expect(take(empty)).toBeNull();
  });

  test(`${name} refuses mistakes in its options`, () => {
    const buffer = pieces('\x01a');
    for (const options of [{ format: 'u16' }, { format: 5 }, { adjust: '1' }, { maxBytes: '1' }, 5, null]) {
      expectRefused('ERR_EVBUFFER_INVALID_ARGUMENT', [buffer], () => take(buffer, options as never));
    }
    for (const options of [
      { adjust: 0.5 },
      { adjust: Number.NaN },
      { maxBytes: -1 },
      { maxBytes: 1.5 },
      { maxBytes: Number.NaN },
    ]) {
      expectRefused('ERR_EVBUFFER_OUT_OF_RANGE', [buffer], () => take(buffer, options));
    }
  });

  test(`${name} takes any series of frames as it was sent, however it arrives`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(100), { minLength: 1, maxLength: 12 }),
        fc.constantFrom(...HEADERS),
        fc.integer({ min: -1, max: 3 }),
        sizesOfPieces,
        (lengths, format, adjust, sizes) => {
          const payloads = lengths.map((length, i) => noise(Math.max(3, length), i + 1));
          const sent = Buffer.concat(payloads.map((payload) => framed(payload, format, adjust)));
          const buffer = new Evbuffer();
          const got: Uint8Array[] = [];
          for (let at = 0, i = 0; at < sent.length; i++) {
            const size = sizes[i % sizes.length] as number;
            buffer.addReference(new Uint8Array(sent.subarray(at, at + size)));
            at += size;
            for (let one = take(buffer, { format, adjust }); one !== null; one = take(buffer, { format, adjust }))
              got.push(one);
            validate(buffer);
          }
          expect(buffer.length).toBe(0);
          expect(got).toHaveLength(payloads.length);
          got.forEach((one, i) => {
            expectSame(one, payloads[i] as Uint8Array);
          });
        },
      ),
      { numRuns: 60 },
    );
  });
}

test('the payload of readFramed is the caller’s own memory', () => {
  const buffer = pieces('\x03abc');
  const payload = readFramed(buffer, { format: 'u8' }) as Uint8Array;
  expect(payload.buffer.byteLength).toBe(3);
  buffer.add('zzzzzzzz');
  expect(text(payload)).toBe('abc');
});

test('takeFramed copies no large payload, and its memory is released with the frame', () => {
  const memory = noise(100_000);
  let released = 0;
  const buffer = new Evbuffer();
  addNumber(buffer, 'u32be', memory.length);
  buffer.addReference(memory, () => released++);
  const frame = takeFramed(buffer) as Evbuffer;
  expect(frame.peek().some((view) => view.buffer === memory.buffer)).toBe(true);
  expect([buffer.length, frame.length]).toEqual([0, memory.length]);
  expect(released).toBe(0);
  frame.drain();
  expect(released).toBe(1);
});

test('a frame taken from the middle of a piece leaves the rest of the piece usable', () => {
  const buffer = new Evbuffer();
  buffer.addReference(bytes('\x02ab\x03cde\x01f'));
  const frames = [takeFramed(buffer, { format: 'u8' }), takeFramed(buffer, { format: 'u8' })] as Evbuffer[];
  frames[0]?.add('+');
  frames[1]?.prepend('+');
  buffer.add('+');
  expectText(frames[0] as Evbuffer, 'ab+');
  expectText(frames[1] as Evbuffer, '+cde');
  expectText(buffer, '\x01f+');
});

test('takeFramed gives a frame back to its owners when user code throws meanwhile', () => {
  const oops = (): never => {
    throw new Error('oops');
  };
  for (const who of ['watcher', 'prefix'] as const) {
    const buffer = new Evbuffer();
    let released = 0;
    buffer.addReference(Uint8Array.of(3), () => (who === 'prefix' ? oops() : undefined));
    buffer.addReference(bytes('abc'), () => released++);
    buffer.add('next');
    if (who === 'watcher') buffer.watch(oops);
    expect(() => takeFramed(buffer, { format: 'u8' })).toThrow('oops');
    expect(released, who).toBe(1);
    expectText(buffer, 'next');
  }
});

test('takeFramed with a varint in front reads nothing of a payload in a file', () => {
  const content = noise(100_000);
  const file = new MemoryFile(content);
  const buffer = new Evbuffer();
  addNumber(buffer, 'varint', content.length);
  buffer.addFileSegment(file);
  const frame = takeFramed(buffer, { format: 'varint' }) as Evbuffer;
  expect(frame.fileBytes).toBe(100_000);
  expectSame(contents(frame), content);
  frame.drain();
  expect(file.users).toBe(1);
});

test('takeFramed refuses pinned bytes', () => {
  const buffer = pieces('\x03abc');
  buffer.pin(1);
  expectRefused('ERR_EVBUFFER_PINNED', [buffer], () => takeFramed(buffer, { format: 'u8' }));
  buffer.unpin();
});
