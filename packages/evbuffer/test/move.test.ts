import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { expect, test } from 'vitest';
import { bytes, expectText, pieces } from './support/check.js';
import { MemoryFile } from './support/memory-file.js';

/** What can stand for libevent's empty chunks: an empty reference, which leaves nothing, or room that nobody used. */
const EMPTY: readonly (readonly [string, (buffer: Evbuffer) => unknown])[] = [
  ['empty references', (b) => b.addReference(new Uint8Array(0))],
  ['reserved room', (b) => b.reserve(10)],
  ['space that was made', (b) => b.ensureSpace(5000)],
  ['three pieces of reserved room', (b) => [10, 5000, 20_000].map((bytes) => b.reserve(bytes, 3))],
];

/** Compares, and sees that what is added comes behind it. */
function expectGrows(buffer: Evbuffer, text: string): void {
  expectText(buffer, text);
  buffer.add('+');
  expectText(buffer, `${text}+`);
}

for (const [name, addEmpty] of EMPTY) {
  const withEmpty = (...texts: string[]): Evbuffer => {
    const buffer = new Evbuffer();
    for (const one of texts) {
      if (one !== '') buffer.addReference(bytes(one));
      addEmpty(buffer);
    }
    return buffer;
  };

  test(`a partial move is not disturbed by ${name} (regress A2, A3, A4)`, () => {
    let source = withEmpty('AA', 'AA');
    let target = withEmpty('AA');
    expect(source.moveTo(target, 3)).toBe(3);
    expectGrows(source, 'A');
    expectGrows(target, 'AAAAA');

    const nine = (): Evbuffer => {
      const buffer = withEmpty('foo');
      const inner = new Evbuffer();
      inner.add('foo');
      inner.addReference(bytes('foo'));
      buffer.addBuffer(inner);
      return buffer;
    };
    source = nine();
    target = nine();
    expect(source.moveTo(target, 8)).toBe(8);
    expectGrows(source, 'o');
    expectGrows(target, 'foofoofoofoofoofo');

    source = withEmpty('foo');
    source.prependBuffer(withEmpty('foo'));
    target = withEmpty('foo');
    target.prependBuffer(withEmpty('foo'));
    expect(source.moveTo(target, 5)).toBe(5);
    expectGrows(source, 'o');
    expectGrows(target, 'foofoofoofo');
  });

  test(`a front that was only prepended to with nothing moves and grows as usual, with ${name} (regress A5)`, () => {
    const source = withEmpty('foo');
    source.prepend(new Uint8Array(0));
    const target = withEmpty('');
    expect(source.moveTo(target, 1)).toBe(1);
    source.add('bar');
    expectText(source, 'oobar');
    expectGrows(target, 'f');
  });

  test(`whole buffers are appended behind ${name} (regress A7, A8)`, () => {
    for (const content of ['foo', '']) {
      for (const source of [pieces('foo'), withEmpty('foo')]) {
        const target = withEmpty(content);
        target.addBuffer(source);
        expectGrows(target, `${content}foo`);
        expectGrows(source, '');
      }
    }
  });

  test(`prependBuffer works with nothing but ${name} on either side (regress A: empty_reference_prepend_buffer)`, () => {
    for (const empty of [(): Evbuffer => withEmpty(''), (): Evbuffer => new Evbuffer()]) {
      for (const [target, source, both] of [
        [withEmpty(''), empty(), ''],
        [empty(), withEmpty(''), ''],
        [empty(), withEmpty('foo'), 'foo'],
        [withEmpty('foo'), empty(), 'foo'],
      ] as const) {
        target.prependBuffer(source);
        expectGrows(target, both);
        expectGrows(source, '');
      }
    }
  });

  test(`a move that leaves exactly the last piece leaves a buffer that grows, with ${name} (regress A: remove_buffer_adjust_last_with_datap)`, () => {
    for (const size of [2, 2000]) {
      const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(size)) as [string, string, string];
      for (const ours of [false, true]) {
        const source = withEmpty(a, b);
        if (ours) source.add(c);
        else source.addReference(bytes(c));
        addEmpty(source);
        const target = withEmpty('x');
        expect(source.moveTo(target, 2 * size)).toBe(2 * size);
        expectGrows(source, c);
        expectGrows(target, `x${a}${b}`);
      }
    }
  });
}

test('prependBuffer puts all of its source first (regress A32: prepend_buffer, row 20)', () => {
  const buffer = new Evbuffer();
  for (const i of [999, 1000]) {
    const source = new Evbuffer();
    source.add(`Here is string ${i}. `);
    buffer.prependBuffer(source);
    expectText(source, '');
  }
  expectText(buffer, 'Here is string 1000. Here is string 999. ');
  buffer.add('!');
  expectText(buffer, 'Here is string 1000. Here is string 999. !');
});

test('whole buffers move without copying a byte, in constant time', () => {
  const memories = Array.from({ length: 1000 }, () => bytes('x'));
  const source = new Evbuffer();
  for (const memory of memories) source.addReference(memory);
  const target = new Evbuffer();
  target.addBuffer(source);
  expect(target.peek().every((view, i) => view === memories[i])).toBe(true);
  expect(source.length).toBe(0);
});

test('moving more than there is, to itself or nothing is harmless (row 21)', () => {
  const source = pieces('abc');
  const target = pieces('x');
  expect(source.moveTo(source, 2)).toBe(0);
  expect(source.moveTo(target, 0)).toBe(0);
  expect(source.moveTo(target, 100)).toBe(3);
  expect(source.moveTo(target, 5)).toBe(0);
  expectText(target, 'xabc');
});

test('a cut copies at most 1 KiB, at most half of a piece, and only what goes', () => {
  const cut = (at: number, size = 5000): boolean[] => {
    const memory = bytes('m'.repeat(size));
    const source = new Evbuffer();
    source.addReference(memory);
    const target = new Evbuffer();
    source.moveTo(target, at);
    validate(source);
    validate(target);
    return [target, source].map((buffer) => buffer.peek()[0]?.buffer === memory.buffer);
  };
  expect(cut(1000)).toEqual([false, true]);
  expect(cut(2500)).toEqual([true, true]);
  expect(cut(4000)).toEqual([true, true]);
  expect(cut(1024)).toEqual([false, true]);
  expect(cut(1025)).toEqual([true, true]);
  expect(cut(250, 500)).toEqual([false, true]);
  expect(cut(251, 500)).toEqual([true, true]);
});

test('after a cut both buffers write memory of their own', () => {
  const source = new Evbuffer();
  source.add('a'.repeat(8000));
  const target = new Evbuffer();
  source.moveTo(target, 4000);
  target.add('b'.repeat(3000));
  source.prepend('c'.repeat(3000));
  source.add('d'.repeat(3000));
  expectText(target, 'a'.repeat(4000) + 'b'.repeat(3000));
  expectText(source, 'c'.repeat(3000) + 'a'.repeat(4000) + 'd'.repeat(3000));
});

/** A file of 6 GiB that nobody may read. */
class HugeFile extends MemoryFile {
  override get length(): number {
    return 6 * 2 ** 30;
  }

  override readSync(): void {
    throw new Error('a file was read to be moved');
  }
}

test('more than 4 GiB of a file move without a read, and the rest begins where they end', () => {
  const file = new HugeFile(new Uint8Array(0));
  const source = pieces('<');
  source.addFileSegment(file);
  source.add('>');
  const target = new Evbuffer();
  const bytesMoved = 2 ** 32 + 2 ** 29 + 8;
  expect(source.moveTo(target, bytesMoved)).toBe(bytesMoved);
  validate(source);
  validate(target);
  expect([target.length, target.fileBytes]).toEqual([bytesMoved, bytesMoved - 1]);
  expect([source.length, source.fileBytes]).toEqual([file.length + 2 - bytesMoved, file.length + 1 - bytesMoved]);
  expect(source.peekFile()?.offset).toBe(bytesMoved - 1);
  target.drain(2 ** 32);
  expect(target.peekFile()?.offset).toBe(2 ** 32 - 1);
  source.drain(source.length - 1);
  expectText(source, '>');
  target.drain();
  expect(file.users).toBe(1);
});
