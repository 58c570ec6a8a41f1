import { type EolStyle, Evbuffer, type EvbufferEncoding, EvbufferError } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytes, expectRefused, expectText, pieces, text } from './support/check.js';
import { bytewise, changesOf, chunked, contents, expectCode, expectSame, sizesOfPieces } from './support/chunks.js';
import { MemoryFile } from './support/memory-file.js';

const STYLES: readonly EolStyle[] = ['any', 'crlf', 'crlf-strict', 'lf', 'nul'];
const ENCODINGS: readonly EvbufferEncoding[] = ['utf8', 'latin1', 'ascii', 'hex', 'base64'];

/** What readLine gives, line by line. */
function oneByOne(buffer: Evbuffer, maxLines: number, style: EolStyle, encoding: EvbufferEncoding): string[] {
  const lines: string[] = [];
  while (lines.length < maxLines) {
    const line = buffer.readLine(style, encoding);
    if (line === null) break;
    lines.push(line);
  }
  return lines;
}

const fragment = fc.constantFrom(
  '\r\n',
  '\n',
  '\r',
  '\0',
  '\r\n',
  '\n',
  'a',
  'line',
  'é',
  '€',
  '😀',
  '\ufeff',
  '',
  'x'.repeat(30),
  'é'.repeat(20),
);
/** Mostly text, sometimes bytes that are no UTF-8. */
const content: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fragment.map((one) => Buffer.from(one)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) },
    ),
    { maxLength: 40 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)));

for (const style of STYLES) {
  for (const encoding of ENCODINGS) {
    test(`BU-2, BU-8: readLines gives the ${style} lines in ${encoding} that readLine would, however the bytes lie`, () => {
      fc.assert(
        fc.property(
          content,
          sizesOfPieces,
          fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat(8)),
          (whole, sizes, maxLines) => {
            const expected = chunked(whole, sizes);
            const lines = oneByOne(expected, maxLines, style, encoding);
            for (const buffer of [chunked(whole, sizes), bytewise(whole), chunked(whole, [whole.length + 1])]) {
              expect(buffer.readLines(maxLines, style, encoding)).toEqual(lines);
              expectSame(contents(buffer), contents(expected));
            }
          },
        ),
        { numRuns: 60 },
      );
    });
  }
}

test('readLines takes all complete crlf lines as utf8 by default, and leaves the rest', () => {
  const buffer = pieces('wörld\r'.slice(0, 1), '\n');
  buffer.add('héllo\r\n\nno end');
  expect(buffer.readLines()).toEqual(['w', 'héllo', '']);
  expect(buffer.readLines()).toEqual([]);
  expectText(buffer, 'no end');
  buffer.add('\n');
  expect(buffer.readLines()).toEqual(['no end']);
  expect(buffer.readLines()).toEqual([]);
});

test('readLines takes no more than maxLines, and the rest next time', () => {
  const buffer = bytewise(Buffer.from('1\n2\r\n3\n4\n5'));
  expect(buffer.readLines(0)).toEqual([]);
  expect(buffer.readLines(1)).toEqual(['1']);
  expect(buffer.readLines(2)).toEqual(['2', '3']);
  expect(buffer.readLines(10)).toEqual(['4']);
  expectText(buffer, '5');
});

test('readLines is one change, and none when there is no line (row 40)', () => {
  const buffer = pieces('a\nb', '\r', '\nc', '\nrest');
  const changes = changesOf(buffer);
  buffer.readLines(0);
  expect(changes).toEqual([]);
  buffer.readLines();
  expect(changes).toEqual([{ originalLength: 11, added: 0, removed: 7 }]);
  buffer.readLines();
  expect(changes).toHaveLength(1);
});

test('readLines gives back the memory of the lines, once each', () => {
  const released: number[] = [];
  const buffer = new Evbuffer();
  for (const [i, part] of ['a\nb', 'c', '\nd\n', 'e'].entries()) {
    buffer.addReference(new Uint8Array(Buffer.from(part)), () => released.push(i));
  }
  expect(buffer.readLines()).toEqual(['a', 'bc', 'd']);
  expect(released).toEqual([0, 1, 2]);
  expectText(buffer, 'e');
});

test('a frozen front refuses readLines as it does readLine (BU-1)', () => {
  const buffer = pieces('a\nb\n');
  buffer.freeze('front');
  expectRefused('ERR_EVBUFFER_FROZEN_FRONT', [buffer], () => buffer.readLines());
  const empty = new Evbuffer();
  empty.freeze('front');
  expect(empty.readLines()).toEqual([]);
  buffer.unfreeze('front');
  buffer.freeze('back');
  expect(buffer.readLines()).toEqual(['a', 'b']);
});

test('readLines refuses mistakes in its arguments and changes nothing', () => {
  const buffer = pieces('a\nb\n');
  for (const maxLines of [-1, 0.5, Number.NaN]) {
    expectRefused('ERR_EVBUFFER_OUT_OF_RANGE', [buffer], () => buffer.readLines(maxLines));
  }
  expectRefused('ERR_EVBUFFER_INVALID_ARGUMENT', [buffer], () => buffer.readLines('1' as never));
  expectRefused('ERR_EVBUFFER_INVALID_ARGUMENT', [buffer], () => buffer.readLines(1, 'cr' as never));
  expectRefused('ERR_EVBUFFER_UNKNOWN_ENCODING', [buffer], () => buffer.readLines(1, 'lf', 'ebcdic' as never));
});

test('a run of line ends that arrives in two parts makes an extra empty line with style any (BU-2)', () => {
  const buffer = new Evbuffer();
  buffer.add('one\r\n\r');
  expect(buffer.readLines(Number.POSITIVE_INFINITY, 'any')).toEqual(['one']);
  buffer.add('\ntwo\n\n');
  expect(buffer.readLines(Number.POSITIVE_INFINITY, 'any')).toEqual(['', 'two']);
});

test('many short and a few very long lines come out whole', () => {
  const long = 'é'.repeat(200_000);
  const buffer = new Evbuffer();
  const expected: string[] = [];
  for (let i = 0; i < 5000; i++) {
    expected.push(`line ${i}`);
    buffer.add(`line ${i}\r\n`);
    if (i % 2000 === 7) {
      expected.push(long);
      buffer.add(`${long}\n`);
    }
  }
  expect(buffer.readLines()).toEqual(expected);
  expect(buffer.length).toBe(0);
  validate(buffer);
});

/** A file whose first read fails. */
class FailingFile extends MemoryFile {
  #failures = 1;

  override readSync(target: Uint8Array, at: number, offset: number, bytes: number): void {
    if (this.#failures-- > 0) throw new EvbufferError('ERR_EVBUFFER_FILE_READ', 'the first read');
    super.readSync(target, at, offset, bytes);
  }
}

// The allocation failure of the case: whatever keeps a line from being taken, the next attempt gives the same line.
test('a line that was refused once is the same line at the next attempt (regress A22)', () => {
  const ways: readonly ((buffer: Evbuffer) => string | undefined | null)[] = [
    (b) => b.readLine('lf'),
    (b) => text(b.readLine('lf', 'bytes')),
    (b) => b.readLines(1, 'lf')[0],
  ];
  for (const read of ways) {
    const buffer = pieces('one line\ntwo');
    const file = new FailingFile(bytes(' line\nthree line\nfour'));
    buffer.addFileSegment(file);
    file.release();
    expect(read(buffer)).toBe('one line');
    const { length } = buffer;
    expectCode('ERR_EVBUFFER_FILE_READ', () => read(buffer));
    expect(buffer.length).toBe(length);
    validate(buffer);
    expect(read(buffer)).toBe('two line');
    buffer.freeze('front');
    expectRefused('ERR_EVBUFFER_FROZEN_FRONT', [buffer], () => read(buffer));
    buffer.unfreeze('front');
    expect(read(buffer)).toBe('three line');
    expectText(buffer, 'four');
    buffer.clear();
    expect(file.users).toBe(0);
  }
});

test('a CR that was searched in vain belongs to the LF that comes in the next piece of memory', () => {
  for (const take of [
    (buffer: Evbuffer) => buffer.readLine(),
    (buffer: Evbuffer) => buffer.readLines()[0] ?? null,
    (buffer: Evbuffer) => text(buffer.readLine('crlf', 'bytes')),
  ]) {
    const buffer = pieces('abc\r');
    expect(take(buffer)).toBeNull();
    buffer.addReference(bytes('\nrest'));
    expect(take(buffer)).toBe('abc');
    expect(buffer.toString()).toBe('rest');
  }
});

test('what was searched in vain is not looked at again, by readLine and readLines', () => {
  const ways: readonly ((buffer: Evbuffer) => string | null)[] = [
    (buffer) => buffer.readLine(),
    (buffer) => buffer.readLines()[0] ?? null,
  ];
  for (const take of ways) {
    for (const before of ways) {
      const buffer = new Evbuffer();
      const memory = Uint8Array.from(bytes('begun'));
      buffer.addReference(memory);
      expect(before(buffer)).toBeNull();
      // Looking at it throws from now on.
      structuredClone(memory.buffer, { transfer: [memory.buffer] });
      for (const piece of [',', ' and on']) {
        buffer.addReference(bytes(piece));
        expect(take(buffer)).toBeNull();
      }
      buffer.addReference(bytes('\n'));
      expectCode('ERR_EVBUFFER_DETACHED', () => take(buffer));
    }
  }
});
