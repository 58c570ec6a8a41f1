import { type EolStyle, Evbuffer } from 'evbuffer';
import { expect, test } from 'vitest';
import { expectText, pieces, text } from './support/check.js';

/** Every way in which a text can be cut in two pieces, and byte by byte. */
function cuts(whole: string): Evbuffer[] {
  const buffers = [pieces(...whole)];
  for (let at = 0; at <= whole.length; at++) buffers.push(pieces(whole.slice(0, at), whole.slice(at)));
  return buffers;
}

const CASES: readonly [EolStyle, string, readonly string[], string][] = [
  ['any', 'complex silly newline\r\n\n\r\n\n\rmore\0\n', ['complex silly newline', 'more\0'], ''],
  ['any', '\r\n\r\na\rb\n\nc', ['', 'a', 'b'], 'c'],
  [
    'crlf',
    'Line with\rin the middle\nLine with good crlf\r\nold\n',
    ['Line with\rin the middle', 'Line with good crlf', 'old'],
    '',
  ],
  ['crlf', 'a\r\r\nb', ['a\r'], 'b'],
  ['crlf', '\n\n\nx\r', ['', '', ''], 'x\r'],
  [
    'crlf-strict',
    ' and a bad crlf\nand a good one\r\n\n\rMore\r\n',
    [' and a bad crlf\nand a good one', '\n\rMore'],
    '',
  ],
  ['crlf-strict', 'More\r', [], 'More\r'],
  ['lf', 'An\rline\nAnother line\r\n\nx', ['An\rline', 'Another line\r', ''], 'x'],
  [
    'nul',
    'NUL\n\0\0The all-zeros character which may serve\0to accomplish time fill\0and media fill',
    ['NUL\n', '', 'The all-zeros character which may serve', 'to accomplish time fill'],
    'and media fill',
  ],
];

for (const [style, whole, lines, rest] of CASES) {
  test(`BU-2, BU-8: style ${style} takes ${JSON.stringify(lines)} from ${JSON.stringify(whole)}, however it arrived (regress A22)`, () => {
    for (const buffer of cuts(whole)) {
      for (const line of lines) expect(buffer.readLine(style)).toBe(line);
      expect(buffer.readLine(style)).toBeNull();
      expectText(buffer, rest);
    }
    for (const buffer of cuts(whole)) {
      for (const line of lines) expect(text(buffer.readLine(style, 'bytes'))).toBe(line);
      expect(buffer.readLine(style, 'bytes')).toBeNull();
    }
  });
}

test('BU-2: a strict CRLF is found across three moved buffers (regress A22)', () => {
  const buffer = new Evbuffer();
  for (const part of ['and a line\r', '\n\r', '\nMore\r']) {
    const source = new Evbuffer();
    source.add(part);
    buffer.addBuffer(source);
  }
  expect(buffer.readLine('crlf-strict')).toBe('and a line');
  expect(buffer.readLine('crlf-strict')).toBe('');
  expect(buffer.readLine('crlf-strict')).toBeNull();
  buffer.add('\n');
  expect(buffer.readLine('crlf-strict')).toBe('More');
});

test('BU-2: with style any a CRLF that arrives in two parts makes an extra empty line', () => {
  const buffer = new Evbuffer();
  buffer.add('one\r');
  expect(buffer.readLine('any')).toBe('one');
  buffer.add('\ntwo\n');
  expect(buffer.readLine('any')).toBe('');
  expect(buffer.readLine('any')).toBe('two');
});

test('BU-2: indexOfEol finds each style from each start as libevent does (regress A23)', () => {
  for (const buffer of cuts('string! \r\n\r\nx\n')) {
    expect(buffer.indexOfEol('any')).toEqual({ index: 8, length: 4 });
    expect(buffer.indexOfEol('crlf')).toEqual({ index: 8, length: 2 });
    expect(buffer.indexOfEol('crlf', 8)).toEqual({ index: 8, length: 2 });
    expect(buffer.indexOfEol('crlf', 9)).toEqual({ index: 9, length: 1 });
    expect(buffer.indexOfEol('crlf-strict', 9)).toEqual({ index: 10, length: 2 });
    expect(buffer.indexOfEol('lf')).toEqual({ index: 9, length: 1 });
    expect(buffer.indexOfEol('lf', 9)).toEqual({ index: 9, length: 1 });
    expect(buffer.indexOfEol('lf', 10)).toEqual({ index: 11, length: 1 });
    expect(buffer.indexOfEol('lf', buffer.length)).toBeNull();
    expect(buffer.indexOfEol('nul')).toBeNull();
  }
  expect(pieces('a\n', '\r', '\nb').indexOfEol('any')).toEqual({ index: 1, length: 3 });
});

test('BU-8: a line and its terminator leave in one change, and the default style is crlf', () => {
  const buffer = pieces('wör\0', 'ld\r', '\nrest');
  const changes: unknown[] = [];
  buffer.watch((_, change) => changes.push({ ...change }));
  expect(buffer.readLine('crlf', 'latin1')).toBe('wör\0ld');
  expect(changes).toEqual([{ originalLength: 12, added: 0, removed: 8 }]);
  buffer.add('\n');
  expect(buffer.readLine()).toBe('rest');
});

test('text lines are decoded as utf8 unless told otherwise, also when a character lies in two pieces', () => {
  const buffer = new Evbuffer();
  const encoded = new Uint8Array(Buffer.from('héllo €\n'));
  for (const byte of encoded) buffer.addReference(Uint8Array.of(byte));
  expect(buffer.readLine()).toBe('héllo €');
  buffer.add('ff00\n');
  expect(buffer.readLine('lf', 'hex')).toBe(Buffer.from('ff00').toString('hex'));
});
