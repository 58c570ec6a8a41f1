// What a hostile reading of the source found: re-entrance, huge memory, and memory that others take away.
import { open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { FileSegment } from 'evbuffer/file';
import { setNumber } from 'evbuffer/framing';
import { expect, test } from 'vitest';
import { bytes, expectText } from './support/check.js';
import { MemoryFile } from './support/memory-file.js';

test('onClose of a file that is read during a search runs after it, whatever it does to the buffer', async () => {
  const path = join(tmpdir(), `evbuffer-hostile-${process.pid}`);
  await writeFile(path, 'line1\nline2\nline3\n');
  const handle = await open(path);
  try {
    const buffer = new Evbuffer();
    const taken: string[] = [];
    const segment = await FileSegment.open(handle, { onClose: () => taken.push(buffer.take().toString()) });
    buffer.addFileSegment(segment);
    segment.close();
    expect(buffer.readLine()).toBe('line1');
    expectText(buffer, 'line2\nline3\n');
    await Promise.resolve();
    expect(taken).toEqual(['line2\nline3\n']);
    expectText(buffer, '');
  } finally {
    await handle.close();
    await rm(path);
  }
});

test('memory of more than 2 GiB is searched to its end', { timeout: 30_000 }, () => {
  const memory = new Uint8Array(2 ** 31 + 5000);
  memory[2 ** 31 - 1] = 10;
  memory.set(bytes('needle\n'), 2 ** 31 + 1000);
  const buffer = new Evbuffer();
  buffer.addReference(memory);
  expect(buffer.indexOf('\n', 2 ** 31 - 100)).toBe(2 ** 31 - 1);
  expect(buffer.indexOf('\n', 2 ** 31 + 10)).toBe(2 ** 31 + 1006);
  expect(buffer.indexOf('needle', 2 ** 31 - 100)).toBe(2 ** 31 + 1000);
  expect(buffer.indexOf('needle', 2 ** 31 + 10)).toBe(2 ** 31 + 1000);
  expect(buffer.indexOfEol('lf', 2 ** 31)).toEqual({ index: 2 ** 31 + 1006, length: 1 });
  buffer.drain(2 ** 31 + 1000);
  expect(buffer.indexOf('absent')).toBe(-1);
  expect(buffer.readLine()).toBe('needle');
});

test('bytes of a file that are read while they are pinned stay as they are', () => {
  const file = new MemoryFile(bytes('PINNEDFILE'));
  const buffer = new Evbuffer();
  buffer.addFileSegment(file);
  buffer.pin(10);
  const [view] = buffer.peek() as [Uint8Array];
  expect(() => setNumber(buffer, 0, 'u8', 0x58)).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_PINNED' }));
  buffer.drain();
  const other = new Evbuffer();
  other.add('SECRET OF ANOTHER BUFFER');
  expect(Buffer.from(view).toString()).toBe('PINNEDFILE');
  validate(buffer);
  expect(file.users).toBe(2);
  buffer.unpin();
  validate(buffer);
  expect(file.users).toBe(1);
});

test('what was taken is released when a watcher throws on the way', () => {
  const buffer = new Evbuffer();
  let released = 0;
  buffer.addReference(bytes('reference'), () => released++);
  buffer.watch(() => {
    throw new Error('watcher');
  });
  expect(() => buffer.take()).toThrow('watcher');
  expect([buffer.length, released]).toEqual([0, 1]);
});

test('memory that threads share is refused from any realm', () => {
  const foreign = runInContext('new Uint8Array(new SharedArrayBuffer(6))', createContext()) as Uint8Array;
  const buffer = new Evbuffer();
  buffer.addReference(foreign);
  expect(() => buffer.remove()).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_SHARED' }));
  expect(buffer.drain()).toBe(6);
});

test('long base64 is checked without a stack overflow, and only whole', () => {
  const buffer = new Evbuffer();
  buffer.add('abcd'.repeat(2 ** 23), 'base64');
  expect(buffer.length).toBe(3 * 2 ** 23);
  buffer.clear();
  for (const right of ['', 'YQ==', 'YQ', 'YWI=', 'YWI', 'YWJj']) {
    buffer.add(right, 'base64');
    expect(buffer.remove()).toEqual(new Uint8Array(Buffer.from(right, 'base64')));
  }
  for (const wrong of ['Y', 'YQ=', 'YWI==', 'YWJj=', 'YWJj==', 'YQ===', '=', '==', 'Y=Q=', 'YW-j', 'YWJj\n']) {
    expect(() => buffer.add(wrong, 'base64'), wrong).toThrow(
      expect.objectContaining({ code: 'ERR_EVBUFFER_INVALID_ARGUMENT' }),
    );
  }
});

test('a pullup that fails to read a file has moved nothing', () => {
  const buffer = new Evbuffer();
  buffer.add(Uint8Array.from({ length: 1000 }, (_, index) => index));
  buffer.drain(100);
  const file = new MemoryFile(new Uint8Array(10));
  file.readSync = () => {
    throw new Error('no more');
  };
  buffer.addFileSegment(file);
  const [view] = buffer.peek({ length: 10 }) as [Uint8Array];
  const before = [...view];
  expect(() => buffer.pullup(905)).toThrow('no more');
  expect([...view]).toEqual(before);
  validate(buffer);
});

test('reserved memory that its user took away is left out by what is added next', () => {
  const buffer = new Evbuffer();
  const room = buffer.reserve(100);
  structuredClone(null, { transfer: [room.segments[0]?.buffer as ArrayBuffer] });
  buffer.add('x'.repeat(5000));
  expectText(buffer, 'x'.repeat(5000));
});

test('addVector counts what it adds, also when its parts shrank meanwhile', () => {
  const resizable = new (
    ArrayBuffer as unknown as new (
      bytes: number,
      options: object,
    ) => ArrayBuffer & { resize(to: number): void }
  )(10, { maxByteLength: 10 });
  const buffer = new Evbuffer();
  let told = 0;
  buffer.watch((_, { added }) => {
    told += added;
  });
  function* parts(): Generator<Uint8Array | string> {
    yield new Uint8Array(resizable);
    resizable.resize(2);
    yield 'ab';
  }
  expect(buffer.addVector(parts())).toBe(4);
  expect([buffer.length, told]).toEqual([4, 4]);
  validate(buffer);
});

test('a reservation ends with the buffer’s disposal, and its room is the next one’s alone', () => {
  const buffer = new Evbuffer();
  const room = buffer.reserve(10);
  buffer[Symbol.dispose]();
  expect(() => room.commit(5)).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_STALE_RESERVATION' }));
  const next = new Evbuffer();
  next.add('xy');
  expectText(next, 'xy');
  expectText(buffer, '');
});
