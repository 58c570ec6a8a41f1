import { Evbuffer } from 'evbuffer';
import { expect, test } from 'vitest';
import { bytes, pieces } from './support/check.js';
import { MemoryFile } from './support/memory-file.js';

test('a search never looks past the end of the data, even where old bytes lie (regress A24, row 42)', () => {
  const buffer = new Evbuffer();
  buffer.add('1234567890\r\n');
  buffer.drain();
  buffer.add('1234567890\r');
  expect(buffer.indexOf('\r\n')).toBe(-1);
  buffer.drain();
  buffer.add(`${'a'.repeat(255)}x`);
  expect(buffer.indexOf('xy')).toBe(-1);
  expect(buffer.indexOf('ax')).toBe(254);
});

test('matches span pieces, start anywhere and end before the range does (regress A26, rows 42 and 43)', () => {
  const empty = new Evbuffer();
  expect(empty.indexOf('x')).toBe(-1);
  expect(empty.indexOf('x', 0, 0)).toBe(-1);
  expect(empty.indexOf('x', 0, Number.POSITIVE_INFINITY)).toBe(-1);
  const buffer = pieces('hello', 'foo', 'cat', 'attack');
  expect(buffer.indexOf('attack')).toBe(11);
  expect(buffer.indexOf('attacker')).toBe(-1);
  expect(buffer.indexOf('oc')).toBe(7);
  expect(buffer.indexOf('cat', 7)).toBe(8);
  expect(buffer.indexOf('tacking')).toBe(-1);
  const five = buffer.position(5);
  expect(buffer.indexOf('foo', five)).toBe(5);
  expect(buffer.indexOf('tat', buffer.advance(five, 2))).toBe(10);
  expect(buffer.indexOf('foo', 0, 12)).toBe(5);
  expect(buffer.indexOf('foocata', 0, 12)).toBe(5);
  expect(buffer.indexOf('foocatat', 0, 12)).toBe(-1);
  expect(buffer.indexOf('ack', 0, 12)).toBe(-1);
  expect(buffer.indexOf('attack', 0, 17)).toBe(11);
  expect(buffer.indexOf('attack', 11, 17)).toBe(11);
  expect(buffer.indexOf('attack', 17)).toBe(-1);
  expect(buffer.indexOf('attack', 17, 17)).toBe(-1);
});

test('an empty needle is found at the start, an empty range holds nothing else (row 42, regress I: empty needle)', () => {
  const buffer = pieces('ab', 'cd');
  expect(buffer.indexOf('')).toBe(0);
  expect(buffer.indexOf('', 3)).toBe(3);
  expect(buffer.indexOf('', 4, 1)).toBe(4);
  expect(new Evbuffer().indexOf('')).toBe(0);
  expect(buffer.indexOf('c', 3, 1)).toBe(-1);
  expect(buffer.indexOf('a', 0, 0)).toBe(-1);
});

test('a needle longer than many pieces is found at the place where it starts', () => {
  const buffer = pieces(...'aabaabaaabaacaab');
  expect(buffer.indexOf('aaabaac')).toBe(6);
  expect(buffer.indexOf(bytes('caab'))).toBe(12);
  expect(buffer.indexOf('aab', 1)).toBe(3);
});

test('a search sees only the bytes of each piece, not the memory around them', () => {
  const memory = bytes('needleneedle');
  const buffer = new Evbuffer();
  buffer.addLeased(memory, 1, 11, { release: () => undefined }, 0);
  expect(buffer.indexOf('needle')).toBe(-1);
  expect(buffer.indexOf('eedl')).toBe(0);
  expect(buffer.indexOf('eedl', 1)).toBe(6);
});

test('what an earlier user left in memory behind the last byte is not found', () => {
  const earlier = new Evbuffer();
  earlier.add(`${'x'.repeat(300)}\nneedle\0`);
  earlier.drain();
  const buffer = new Evbuffer();
  buffer.add('y'.repeat(200));
  expect(buffer.indexOf('\n')).toBe(-1);
  expect(buffer.indexOf('needle')).toBe(-1);
  for (const style of ['any', 'crlf', 'crlf-strict', 'lf', 'nul'] as const) {
    expect(buffer.indexOfEol(style)).toBeNull();
    expect(buffer.readLine(style)).toBeNull();
  }
  expect(buffer.readLines()).toEqual([]);
});

test('in a large piece a search finds the first match of its range, near the start as further on', () => {
  const text = 'a needle, no need, needles. '.padEnd(997, '-').repeat(20);
  const buffer = new Evbuffer();
  buffer.addReference(bytes(text));
  for (const start of [0, 1, 2, 13, 27, 100, 999, 4090, 9000, 15_952]) {
    for (const length of [5, 6, 7, 25, 40, 90, 700, 1000, 1023, 4096, 5000]) {
      const end = start + length;
      for (const needle of ['n', 'need', 'needle', 'needles', '.', ' ', 'x']) {
        const found = text.slice(start, end).indexOf(needle);
        expect([start, end, needle, buffer.indexOf(needle, start, end)]).toEqual([
          start,
          end,
          needle,
          found < 0 ? -1 : start + found,
        ]);
      }
    }
  }
});

test('a match may begin in memory and end in a file', () => {
  const buffer = Evbuffer.from('a nee');
  const file = new MemoryFile(bytes('dle, and another needle'));
  buffer.addFileSegment(file);
  expect(buffer.indexOf('needle')).toBe(2);
  expect(buffer.indexOf('needle', 3)).toBe(22);
});
