import { Evbuffer, isEvbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { expect, test } from 'vitest';
import { bytes, expectText, pieces, text } from './support/check.js';

test('a new buffer is empty: length 0, no contiguous bytes, nothing to pull up or peek (api-evbuffer row 1)', () => {
  const buffer = new Evbuffer();
  expect(buffer.length).toBe(0);
  expect(buffer.contiguousLength).toBe(0);
  expect(buffer.pullup()).toBeNull();
  expect(buffer.pullup(1)).toBeNull();
  expect(buffer.peek()).toEqual([]);
  expect(isEvbuffer(buffer)).toBe(true);
  expect(isEvbuffer({ length: 0 })).toBe(false);
});

test('bytes are added, drained, moved, prepended and pulled up in order (regress A1)', () => {
  const buffer = new Evbuffer();
  const other = new Evbuffer();
  buffer.add(`${'hello'}/${1}`);
  expectText(buffer, 'hello/1');
  expect(buffer.drain(6)).toBe(6);
  expectText(buffer, '1');
  other.add('/hello');
  buffer.addBuffer(other);
  expectText(buffer, '1/hello');
  expectText(other, '');
  buffer.add(new Uint8Array(512));
  expect(buffer.length).toBe(519);
  expect(text(buffer.pullup(519))).toBe(`1/hello${'\0'.repeat(512)}`);
  buffer.prepend('something');
  buffer.prepend('else');
  validate(buffer);
  expect(text(buffer.pullup(20))).toBe('elsesomething1/hello');
  expect(buffer.drain()).toBe(532);

  const block = bytes('x'.repeat(512));
  for (let i = 0; i < 3; i++) {
    other.add(block);
    buffer.addBuffer(other);
  }
  expect([buffer.length, other.length]).toEqual([1536, 0]);
  expect(buffer.moveTo(other, 1280)).toBe(1280);
  expect([buffer.length, other.length]).toEqual([256, 1280]);
  expect(text(buffer.pullup())).toBe('x'.repeat(256));
  expect(text(other.pullup())).toBe('x'.repeat(1280));
  validate(buffer);
  validate(other);

  for (let i = 0; i < 3; i++) {
    const reservation = other.reserve(10_000);
    expect(reservation.segments).toHaveLength(1);
    expect(reservation.length).toBeGreaterThanOrEqual(10_000);
    reservation.segments[0]?.fill(7);
    reservation.commit(reservation.length);
    expect(other.length).toBeGreaterThanOrEqual(10_000);
    validate(other);
    other.drain(other.length + 1_000_000);
    expect(other.length).toBe(0);
    validate(other);
  }
});

test('add copies: the caller may reuse its memory', () => {
  const buffer = new Evbuffer();
  const memory = bytes('abc');
  buffer.add(memory);
  memory.fill(0);
  expectText(buffer, 'abc');
});

test('large bytes are added whole, whatever room there was before (api-evbuffer row 15)', () => {
  const buffer = new Evbuffer();
  const large = new Uint8Array(300_000).map((_, i) => i);
  buffer.add('ab');
  buffer.add(large);
  validate(buffer);
  expect(buffer.length).toBe(300_002);
  expect(Buffer.compare(buffer.remove(), Buffer.concat([Buffer.from('ab'), large]))).toBe(0);
});

test('a vector of four sentences is added as one, and each comes out by its length (regress A39, row 16)', () => {
  const sentences = [39, 89, 55, 76].map((length, i) => String(i).repeat(length));
  const buffer = new Evbuffer();
  let notifications = 0;
  buffer.watch((_, change) => {
    notifications++;
    expect(change.added).toBe(259);
  });
  expect(buffer.addVector([sentences[0] as string, bytes(sentences[1] as string), ...sentences.slice(2)])).toBe(259);
  expect(notifications).toBe(1);
  expect(buffer.length).toBe(259);
  buffer[Symbol.dispose]();
  buffer.addVector(sentences);
  for (const sentence of sentences) expect(text(buffer.remove(sentence.length))).toBe(sentence);
  expect(buffer.length).toBe(0);
  expect(buffer.addVector([])).toBe(0);
});

test('remove(n), remove(into) and drain take everything when they are asked for more (rows 34 and 35)', () => {
  const buffer = pieces('abc', 'def');
  expect(text(buffer.remove(4))).toBe('abcd');
  const into = bytes('......');
  expect(buffer.remove(into)).toBe(2);
  expect(text(into)).toBe('ef....');
  expect(buffer.remove(5)).toEqual(new Uint8Array(0));
  expect(buffer.remove(into)).toBe(0);
  expect(buffer.drain(5)).toBe(0);
  buffer.add('xyz');
  expect(text(buffer.remove())).toBe('xyz');
  buffer.add('xyz');
  expect(buffer.drain(Number.POSITIVE_INFINITY)).toBe(3);
  expectText(buffer, '');
});

test('removed bytes belong to the caller', () => {
  const buffer = new Evbuffer();
  buffer.add('abc');
  const removed = buffer.remove(2);
  buffer.prepend('zz');
  expect(text(removed)).toBe('ab');
  expect(removed.buffer.byteLength).toBe(2);
});

test('copyOut copies from any position and drains nothing (rows 36 and 37, regress A: copyout)', () => {
  const buffer = pieces('a'.repeat(100), 'b'.repeat(106));
  const into = new Uint8Array(230);
  expect(buffer.copyOut(into)).toBe(206);
  expect(buffer.copyOut(new Uint8Array(999), 15)).toBe(191);
  expect(buffer.copyOut(into.subarray(0, 4), 98)).toBe(4);
  expect(text(into.subarray(0, 4))).toBe('aabb');
  expect(buffer.copyOut(into, 206)).toBe(0);
  expect(buffer.length).toBe(206);
});

test('prepending uses the gap that draining left, then a new piece, and stays one change (regress A32, row 22)', () => {
  const buffer = new Evbuffer();
  buffer.prepend('This string is 29 bytes long.');
  expectText(buffer, 'This string is 29 bytes long.');
  buffer.prepend('Short.');
  expectText(buffer, 'Short.This string is 29 bytes long.');
  buffer.drain(17);
  const before = buffer.peek().length;
  buffer.prepend('it');
  expect(buffer.peek()).toHaveLength(before);
  expectText(buffer, 'it is 29 bytes long.');
  buffer.prepend('It is no longer true to say ');
  expectText(buffer, 'It is no longer true to say it is 29 bytes long.');

  const foo = new Evbuffer();
  foo.add('foo');
  const changes: unknown[] = [];
  foo.watch((_, change) => changes.push({ ...change }));
  foo.prepend('A'.repeat(8096));
  expect(changes).toEqual([{ originalLength: 3, added: 8096, removed: 0 }]);
  expect(text(foo.pullup(8096))).toBe('A'.repeat(8096));
  foo.drain(8096);
  expectText(foo, 'foo');
});

test('a prepend that does not fit its gap is split between gap and new memory', () => {
  const buffer = new Evbuffer();
  buffer.add('0123456789');
  buffer.drain(4);
  buffer.prepend('abcdefgh');
  expect(buffer.peek().map(text)).toEqual(['abcd', 'efgh456789']);
});

test('pullup answers null for nothing, for more than there is and for an empty buffer (regress A: pullup_with_empty, row 38)', () => {
  const buffer = new Evbuffer();
  expect(buffer.pullup(0)).toBeNull();
  buffer.addReference(new Uint8Array(0));
  expect(buffer.pullup()).toBeNull();
  buffer.add('foo');
  expect(buffer.pullup(0)).toBeNull();
  expect(buffer.pullup(4)).toBeNull();
  expect(text(buffer.pullup())).toBe('foo');
  expect(text(buffer.pullup(2))).toBe('fo');
});

test('pullup copies nothing when the bytes are contiguous, and joins no more than asked for', () => {
  const memory = bytes('abc');
  const buffer = new Evbuffer();
  buffer.addReference(memory);
  expect(buffer.pullup()).toBe(memory);
  expect(buffer.pullup(2)?.buffer).toBe(memory.buffer);
  buffer.addReference(bytes('defg'));
  buffer.addReference(bytes('h'));
  expect(text(buffer.pullup(5))).toBe('abcde');
  expect(buffer.peek().map(text)).toEqual(['abcde', 'fg', 'h']);
  expect(buffer.contiguousLength).toBe(5);
  expect(text(memory)).toBe('abc');
  validate(buffer);
});

test('pullup of all after every arrival keeps the bytes, also beyond the size of a slab', () => {
  const buffer = new Evbuffer();
  const all: Uint8Array[] = [];
  for (let i = 0; i < 40; i++) {
    const part = new Uint8Array(5000).fill(i);
    all.push(part);
    buffer.addReference(part);
    expect(Buffer.compare(buffer.pullup() as Uint8Array, Buffer.concat(all))).toBe(0);
    validate(buffer);
  }
});

test('many formatted appends waste less than an eighth of their memory (regress A21)', () => {
  const buffer = new Evbuffer();
  const alphabet = Array.from({ length: 104 }, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
  for (let round = 0; round < 1000; round++) {
    for (let length = 1; length <= 103; length++) buffer.add(alphabet.slice(0, length));
  }
  expect(buffer.length).toBe(5_356_000);
  const allocated = buffer.peek().reduce((sum, view) => sum + view.buffer.byteLength, 0);
  expect((allocated - buffer.length) / allocated).toBeLessThan(0.125);
  validate(buffer);
});

test('clear gives everything back and the buffer can be used again; disposing also forgets the watchers (row 2)', () => {
  const buffer = new Evbuffer();
  let released = 0;
  let changes = 0;
  buffer.watch(() => changes++);
  buffer.addReference(bytes('abc'), () => released++);
  buffer.clear();
  expect([released, changes]).toEqual([1, 2]);
  expectText(buffer, '');
  buffer.addReference(bytes('abc'), () => released++);
  buffer.freeze('front');
  buffer[Symbol.dispose]();
  expect([released, changes]).toEqual([2, 3]);
  buffer[Symbol.dispose]();
  buffer.add('z');
  expect(changes).toBe(3);
  expectText(buffer, 'z');
});

test('disposing of a buffer inside a watcher silences the watchers after it', () => {
  const buffer = new Evbuffer();
  const seen: string[] = [];
  buffer.watch(() => {
    seen.push('first');
    buffer[Symbol.dispose]();
  });
  buffer.watch(() => seen.push('later'));
  buffer.add('abc');
  expect(seen).toEqual(['first']);
  expectText(buffer, '');
  buffer.add('z');
  expect(seen).toEqual(['first']);
});
