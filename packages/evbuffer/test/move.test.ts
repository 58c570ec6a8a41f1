import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { expect, test } from 'vitest';
import { bytes, expectText, pieces } from './support/check.js';

function withEmpty(...texts: string[]): Evbuffer {
  const buffer = new Evbuffer();
  for (const one of texts) {
    buffer.addReference(bytes(one));
    buffer.addReference(new Uint8Array(0));
  }
  return buffer;
}

test('empty references do not disturb a partial move (regress A2, A3, A4)', () => {
  let source = pieces('AA', 'AA');
  let target = withEmpty('AA');
  expect(source.moveTo(target, 3)).toBe(3);
  expectText(source, 'A');
  expectText(target, 'AAAAA');

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
  expectText(source, 'o');
  expectText(target, 'foofoofoofoofoofo');

  source = withEmpty('foo');
  source.prependBuffer(withEmpty('foo'));
  target = withEmpty('foo');
  target.prependBuffer(withEmpty('foo'));
  expect(source.moveTo(target, 5)).toBe(5);
  expectText(source, 'o');
  expectText(target, 'foofoofoofo');
});

test('a front that was only prepended to with nothing moves and grows as usual (regress A5)', () => {
  const source = withEmpty('foo');
  source.prepend(new Uint8Array(0));
  const target = new Evbuffer();
  expect(source.moveTo(target, 1)).toBe(1);
  source.add('bar');
  expectText(source, 'oobar');
  expectText(target, 'f');
});

test('whole buffers are appended behind empty references (regress A7, A8)', () => {
  for (const target of [withEmpty('foo'), withEmpty('')]) {
    const before = target.length;
    const source = pieces('foo');
    target.addBuffer(source);
    expect(target.length).toBe(before + 3);
    expectText(source, '');
    validate(target);
  }
});

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

test('a cut copies at most 1 KiB, from the smaller side', () => {
  const memory = bytes('m'.repeat(5000));
  const cut = (at: number): boolean[] => {
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
  expect(cut(4000)).toEqual([true, false]);
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
