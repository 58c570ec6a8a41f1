import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { FileSegment } from 'evbuffer/file';
import { afterAll, beforeAll, expect, test } from 'vitest';

const SIZE = 200_000;
let folder: string;
let segment: FileSegment;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evbuffer-file-bytes-'));
  await writeFile(join(folder, 'file'), new Uint8Array(SIZE).fill(7));
  segment = await FileSegment.open(join(folder, 'file'));
});

afterAll(async () => {
  segment.close();
  await rm(folder, { recursive: true });
});

/** `head`, the whole file, `tail`. */
function mixed(): Evbuffer {
  const buffer = Evbuffer.from('head');
  buffer.addFileSegment(segment);
  buffer.add('tail');
  return buffer;
}

/** `validate` looks whether the buffer knows that it holds files. */
function expectFileBytes(buffer: Evbuffer, bytes: number): void {
  validate(buffer);
  expect(buffer.fileBytes).toBe(bytes);
}

test('bytes in files are counted as they come and go', () => {
  const buffer = mixed();
  expect(buffer.length).toBe(SIZE + 8);
  expectFileBytes(buffer, SIZE);
  buffer.drain(2);
  expectFileBytes(buffer, SIZE);
  buffer.drain(12);
  expectFileBytes(buffer, SIZE - 10);
  buffer.drain(SIZE - 10);
  expectFileBytes(buffer, 0);
  buffer.addFileSegment(segment, 5, 10);
  expectFileBytes(buffer, 10);
  buffer.clear();
  expectFileBytes(buffer, 0);
});

test('they are counted where they are after a move or a share', () => {
  const source = mixed();
  const target = mixed();
  source.moveTo(target, 3);
  expectFileBytes(source, SIZE);
  source.moveTo(target, 1001);
  expectFileBytes(source, SIZE - 1000);
  expectFileBytes(target, SIZE + 1000);
  target.prependBuffer(source);
  expectFileBytes(source, 0);
  expectFileBytes(target, 2 * SIZE);
  source.addBufferReference(target);
  expectFileBytes(source, 2 * SIZE);
  source.addBuffer(target);
  expectFileBytes(target, 0);
  expectFileBytes(source, 4 * SIZE);
  source[Symbol.dispose]();
  expectFileBytes(source, 0);
});

test('what was read to be looked at is in memory from then on', () => {
  const buffer = mixed();
  expect(buffer.indexOf('t', 5)).toBe(SIZE + 4);
  expectFileBytes(buffer, 0);

  const pulled = mixed();
  pulled.pullup(104);
  expectFileBytes(pulled, SIZE - 100);
  pulled.ensureSpace(SIZE);
  pulled.pullup();
  expectFileBytes(pulled, 0);

  const copied = mixed();
  copied.copyOut(new Uint8Array(1000));
  expectFileBytes(copied, SIZE);
  copied.remove(1000);
  expectFileBytes(copied, SIZE - 996);
  copied.clear();
  buffer.clear();
});

test('a pullup into the room of the first piece counts what it reads', () => {
  const buffer = new Evbuffer();
  buffer.reserve(4096);
  buffer.add('head');
  buffer.addFileSegment(segment, 0, 100);
  expect(buffer.pullup(54)?.length).toBe(54);
  expectFileBytes(buffer, 50);
  buffer.clear();
});

test('a FileHandle that its owner closed too early is not read any more, whoever has its number now', async () => {
  const handle = await open(join(folder, 'file'));
  const closes: unknown[] = [];
  const early = await FileSegment.open(handle, { onClose: (error) => closes.push(error) });
  const buffer = Evbuffer.from('head');
  buffer.addFileSegment(early);
  const number = handle.fd;
  await handle.close();
  await writeFile(join(folder, 'other'), 'secret'.repeat(100));
  const other = await open(join(folder, 'other'));
  expect(other.fd).toBe(number);
  for (const look of [
    () => buffer.toString(),
    () => buffer.indexOf('secret'),
    () => early.readSync(new Uint8Array(1), 0, 0, 1),
  ]) {
    expect(look).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_INVALID_STATE' }));
  }
  await expect(early.read(new Uint8Array(1), 0, 0, 1)).rejects.toMatchObject({ code: 'ERR_EVBUFFER_INVALID_STATE' });
  expect(early.descriptor).toBe(-1);
  // What reads nothing goes on.
  const sharing = new Evbuffer();
  sharing.addBufferReference(buffer);
  expect(sharing.moveTo(buffer, 100)).toBe(100);
  for (const one of [buffer, sharing]) validate(one);
  sharing.drain();
  expect(buffer.length).toBe(SIZE + 4 + 100);
  early.close();
  buffer.drain();
  expect(closes).toEqual([]);
  await Promise.resolve();
  expect(closes).toEqual([undefined]);
  await other.close();
});
