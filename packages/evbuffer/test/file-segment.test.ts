import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Evbuffer, EvbufferError, type EvbufferSegment } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { FileSegment, type FileSegmentOptions } from 'evbuffer/file';
import { getNumber } from 'evbuffer/framing';
import { afterAll, expect, test } from 'vitest';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'file-segment-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileOf(content: string | Uint8Array): string {
  const path = join(folder, `${files++}`);
  writeFileSync(path, content);
  return path;
}

/** A segment, and a promise that is kept a turn after it was cleaned up, when that has happened once and without an error. */
async function opened(path: string, options: FileSegmentOptions = {}): Promise<[FileSegment, Promise<void>]> {
  let times = 0;
  let onClose: (error?: Error) => void = () => {};
  const first = new Promise<void>((resolve, reject) => {
    onClose = (error) => {
      times++;
      if (error === undefined) resolve();
      else reject(error);
    };
  });
  const once = async () => {
    await first;
    await turn();
    expect(times, 'clean-ups').toBe(1);
  };
  return [await FileSegment.open(path, { ...options, onClose: (error) => onClose(error) }), once()];
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** How many descriptors of this process lead to one of the paths: others come and go, for other tests and for vitest. */
function descriptorsOf(...paths: string[]): number {
  return readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return paths.includes(readlinkSync(`/proc/self/fd/${descriptor}`));
    } catch {
      return false; // The one with which the list was read.
    }
  }).length;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing thrown';
}

/** 524,288 bytes that repeat nowhere soon. */
function noise(): Uint8Array {
  const bytes = new Uint8Array(524_288);
  let state = 1;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

// regress A41: the clean-up of a segment runs once, when neither its handle nor a buffer holds it.
test('a segment is cleaned up once, after its opener and the last buffer let it go', async () => {
  const path = fileOf('22 bytes of a text file'.slice(0, 22));
  const [segment, cleanedUp] = await opened(path);
  expect(descriptorsOf(path)).toBe(1);
  const [a, b] = [new Evbuffer(), new Evbuffer()];
  a.addFileSegment(segment);
  a.addFileSegment(segment, 2, 5);
  b.addBufferReference(a);
  segment.close();
  segment.close();
  a.drain();
  expect(segment.closed).toBe(false);
  b.drain(26);
  expect(segment.closed).toBe(false);
  b.drain(1);
  expect([segment.closed, segment.descriptor]).toEqual([true, -1]);
  await cleanedUp;
  expect(descriptorsOf(path)).toBe(0);
});

test('dispose, clear and partial moves let a segment go as drain does', async () => {
  const [segment, cleanedUp] = await opened(fileOf('0123456789'));
  const [a, b, c] = [new Evbuffer(), new Evbuffer(), new Evbuffer()];
  for (const buffer of [a, b]) buffer.addFileSegment(segment);
  segment.close();
  a.moveTo(c, 4);
  a.clear();
  b[Symbol.dispose]?.();
  b.drain();
  expect(segment.closed).toBe(false);
  expect(c.remove()).toEqual(Uint8Array.from(Buffer.from('0123')));
  await cleanedUp;
});

// regress A44–A61: the bytes of a file arrive whole, through a segment, a part of it, and a part of a segment.
for (const [cases, size, offset, length, viewOffset, viewLength] of [
  ['A44–A47', 34, 0, 34, 0, 34],
  ['A48–A51', 524_288, 0, 524_288, 0, 524_288],
  ['A52–A55', 524_288, 131_073, 262_143, 0, 262_143],
  ['A56–A58', 524_288, 0, 524_288, 174_762, 262_144],
  ['A59–A61', 524_288, 131_073, 262_143, 87_381, 131_071],
] as const) {
  test(`the bytes of a file arrive whole in pieces of up to 1024 bytes (regress ${cases})`, async () => {
    const content = noise().subarray(0, size);
    const [segment, cleanedUp] = await opened(fileOf(content), { offset, length });
    const buffer = new Evbuffer();
    buffer.addFileSegment(segment, viewOffset, viewLength);
    segment.close();
    const read = new Evbuffer();
    while (buffer.length > 0) read.add(buffer.remove(1024));
    const from = offset + viewOffset;
    expect(Buffer.compare(read.remove(), content.subarray(from, from + viewLength))).toBe(0);
    await cleanedUp;
  });
}

test('every way of looking at bytes reads those of a file, and memory around it, in order', async () => {
  const content = `${'x'.repeat(70_000)}needle\r\nsecond line\nrest`;
  const looks: Record<string, (buffer: Evbuffer) => void> = {
    pullup: (buffer) => expect(Buffer.from(buffer.pullup() as Uint8Array).toString()).toBe(`<<${content}>>`),
    peek: (buffer) => expect(Buffer.concat(buffer.peek()).toString()).toBe(`<<${content}>>`),
    iteration: (buffer) => expect(Buffer.concat([...buffer]).toString()).toBe(`<<${content}>>`),
    toString: (buffer: Evbuffer) => expect(buffer.toString()).toBe(`<<${content}>>`),
    indexOf: (buffer) => expect([buffer.indexOf('needle'), buffer.indexOf('rest>>')]).toEqual([70_002, 70_022]),
    'indexOf from a position': (buffer) => expect(buffer.indexOf('second', buffer.position(70_005))).toBe(70_010),
    indexOfEol: (buffer) => expect(buffer.indexOfEol('crlf')).toEqual({ index: 70_008, length: 2 }),
    getNumber: (buffer) => expect(getNumber(buffer, 70_008, 'u16be')).toBe(0x0d0a),
    copyOut: (buffer) => {
      const into = new Uint8Array(6);
      expect([buffer.copyOut(into, 70_002), Buffer.from(into).toString()]).toEqual([6, 'needle']);
    },
    lines: (buffer) => {
      expect(buffer.readLine()?.length).toBe(70_008);
      expect([buffer.readLine(), buffer.readLine(), buffer.toString()]).toEqual(['second line', null, 'rest>>']);
    },
    readLines: (buffer) => expect(buffer.readLines().map(({ length }) => length)).toEqual([70_008, 11]),
  };
  const path = fileOf(content);
  for (const [name, look] of Object.entries(looks)) {
    const [segment, cleanedUp] = await opened(path);
    const buffer = Evbuffer.from('<<');
    buffer.addFileSegment(segment);
    segment.close();
    buffer.add('>>');
    look(buffer);
    validate(buffer);
    buffer.drain();
    await cleanedUp.catch((error) => expect.fail(`${name}: ${error}`));
  }
});

test('those who send learn where the file is: peekInto stops before it, peekFile describes it', async () => {
  const [segment, cleanedUp] = await opened(fileOf('0123456789'), { offset: 2 });
  const buffer = Evbuffer.from('ab');
  buffer.addFileSegment(segment, 1, 6);
  segment.close();
  buffer.add('cd');
  const segments: EvbufferSegment[] = [];
  expect([buffer.peekFile(), buffer.peekInto(segments, 100), segments[0]?.end]).toEqual([null, 1, 2]);
  buffer.drain(3);
  expect(buffer.peekInto(segments, 100)).toBe(0);
  expect(buffer.contiguousLength).toBe(0);
  expect(buffer.peekFile()).toEqual({ file: segment, offset: 2, length: 5 });
  buffer.pin(5);
  buffer.drain(5);
  expect(segment.closed).toBe(false);
  expect(buffer.toString()).toBe('cd');
  buffer.unpin();
  expect(segment.closed).toBe(true);
  await cleanedUp;
});

test('looking at pinned bytes of a file keeps it open until unpin', async () => {
  const [segment, cleanedUp] = await opened(fileOf('0123456789'));
  const buffer = new Evbuffer();
  buffer.addFileSegment(segment);
  segment.close();
  buffer.pin(10);
  expect(buffer.indexOf('789')).toBe(7);
  validate(buffer);
  buffer.drain();
  expect(segment.closed).toBe(false);
  buffer.unpin();
  await cleanedUp;
});

test('looking exactly 64 KiB into a file shows what begins there, in no empty piece', async () => {
  const [segment, cleanedUp] = await opened(fileOf(`${'x'.repeat(65_536)}yz`));
  const buffer = new Evbuffer();
  buffer.addFileSegment(segment);
  segment.close();
  expect(buffer.peek({ start: 65_536 }).map((view) => Buffer.from(view).toString())).toEqual(['yz']);
  expect(buffer.fileBytes).toBe(65_536);
  buffer.drain();
  await cleanedUp;
});

test('files of more than 4 GiB: offsets beyond are right, and adding reads nothing', async () => {
  const path = fileOf('');
  const size = 5 * 2 ** 30 + 3;
  const descriptor = openSync(path, 'r+');
  ftruncateSync(descriptor, size);
  writeSync(descriptor, 'border', 2 ** 32 - 3);
  writeSync(descriptor, 'end', size - 3);
  closeSync(descriptor);
  const [segment, cleanedUp] = await opened(path);
  const buffer = new Evbuffer();
  buffer.addFileSegment(segment);
  segment.close();
  expect(buffer.length).toBe(size);
  const into = new Uint8Array(6);
  buffer.copyOut(into, 2 ** 32 - 3);
  expect(Buffer.from(into).toString()).toBe('border');
  expect(buffer.indexOf('end', buffer.position(size - 100))).toBe(size - 3);
  expect(buffer.drain(2 ** 32 - 3)).toBe(2 ** 32 - 3);
  expect(Buffer.from(buffer.remove(6)).toString()).toBe('border');
  buffer.drain(buffer.length - 3);
  expect(buffer.toString()).toBe('end');
  validate(buffer);
  buffer.drain();
  await cleanedUp;
});

test('a segment that its opener closes during a read stays open until the read is done', async () => {
  const [segment, cleanedUp] = await opened(fileOf('0123456789'));
  const target = Buffer.alloc(10);
  const reading = segment.read(target, 0, 0, 10);
  segment.close();
  expect(segment.closed).toBe(false);
  await reading;
  expect(segment.closed).toBe(true);
  expect(target.toString()).toBe('0123456789');
  await cleanedUp;
});

test('a system that gives less than was asked for is asked again for the rest', async () => {
  const handle = await open(fileOf('0123456789'), 'r');
  const read = handle.read.bind(handle) as (...words: unknown[]) => unknown;
  const little = (target: unknown, at: unknown, bytes: number, from: unknown) =>
    read(target, at, Math.min(bytes, 3), from);
  Object.assign(handle, { read: little });
  const segment = await FileSegment.open(handle, { offset: 1 });
  const target = Buffer.alloc(10, '.');
  await segment.read(target, 1, 0, 8);
  expect(target.toString()).toBe('.12345678.');
  segment.close();
  await handle.close();
});

test('a file that shrank gives a typed error, and nothing before the end is lost', async () => {
  const path = fileOf('0123456789'.repeat(20_000));
  const [segment, cleanedUp] = await opened(path);
  const buffer = Evbuffer.from('<');
  buffer.addFileSegment(segment);
  segment.close();
  buffer.add('>');
  truncateSync(path, 100_000);
  const looks: ((b: Evbuffer) => unknown)[] = [
    (b) => b.remove(),
    (b) => b.pullup(),
    (b) => b.indexOf('>'),
    (b) => b.toUint8Array(),
    (b) => b.readLine(),
  ];
  for (const look of looks) {
    expect(codeOf(() => look(buffer))).toBe('ERR_EVBUFFER_FILE_SHRANK');
    expect(buffer.length).toBe(200_002);
    validate(buffer);
  }
  expect(Buffer.from(buffer.remove(100_001)).toString()).toBe(`<${'0123456789'.repeat(10_000)}`);
  expect(codeOf(() => buffer.remove(1))).toBe('ERR_EVBUFFER_FILE_SHRANK');
  expect(buffer.drain(100_000)).toBe(100_000);
  expect(buffer.toString()).toBe('>');
  await cleanedUp;
});

test('a path, a URL or a FileHandle may be opened; the handle stays the caller’s', async () => {
  const path = fileOf('abc');
  const byUrl = await FileSegment.open(pathToFileURL(path));
  expect(byUrl.length).toBe(3);
  byUrl.close();
  const handle = await open(path);
  const closings: unknown[] = [];
  const segment = await FileSegment.open(handle, { offset: 1, onClose: (error) => closings.push(error) });
  expect([segment.length, segment.descriptor]).toEqual([2, handle.fd]);
  const into = new Uint8Array(4);
  await segment.read(into, 1, 0, 2);
  expect(Buffer.from(into).toString()).toBe('\0bc\0');
  segment.close();
  await turn();
  expect(closings).toEqual([undefined]);
  expect((await handle.read(into, 0, 1, 0)).bytesRead).toBe(1);
  await handle.close();
});

test('a file that can not be read gives the system’s error as the cause', async () => {
  const handle = await open(fileOf('abc'), 'a');
  const segment = await FileSegment.open(handle);
  const buffer = new Evbuffer();
  buffer.addFileSegment(segment);
  let thrown: unknown;
  try {
    buffer.remove();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(EvbufferError);
  expect(thrown).toMatchObject({ code: 'ERR_EVBUFFER_FILE_READ', cause: { code: 'EBADF' } });
  await expect(segment.read(new Uint8Array(3), 0, 0, 3)).rejects.toMatchObject({ code: 'ERR_EVBUFFER_FILE_READ' });
  expect(buffer.drain()).toBe(3);
  segment.close();
  await handle.close();
});

// regress A43: nothing is left open by what is refused.
test('what is no part of a regular file is refused, and leaves nothing open', async () => {
  const path = fileOf('0123456789');
  const paths = [path, folder, '/dev/null'];
  const before = descriptorsOf(...paths);
  const refused = (file: unknown, options?: unknown) =>
    FileSegment.open(file as string, options as FileSegmentOptions).then(
      () => 'opened',
      (error) => error.code,
    );
  expect(await refused(path, { offset: 11 })).toBe('ERR_EVBUFFER_OUT_OF_RANGE');
  expect(await refused(path, { offset: 5, length: 6 })).toBe('ERR_EVBUFFER_OUT_OF_RANGE');
  expect(await refused(path, { offset: -1 })).toBe('ERR_EVBUFFER_OUT_OF_RANGE');
  expect(await refused(path, { length: 1.5 })).toBe('ERR_EVBUFFER_OUT_OF_RANGE');
  expect(await refused(path, { onClose: 1 })).toBe('ERR_EVBUFFER_INVALID_ARGUMENT');
  expect(await refused(folder)).toBe('ERR_EVBUFFER_INVALID_ARGUMENT');
  expect(await refused('/dev/null')).toBe('ERR_EVBUFFER_INVALID_ARGUMENT');
  expect(await refused(5)).toBe('ERR_EVBUFFER_INVALID_ARGUMENT');
  expect(await refused(join(folder, 'absent'))).toBe('ENOENT');
  expect(descriptorsOf(...paths)).toBe(before);
  const segment = await FileSegment.open(path);
  const buffer = new Evbuffer();
  expect(codeOf(() => buffer.addFileSegment(segment, 11))).toBe('ERR_EVBUFFER_OUT_OF_RANGE');
  expect(codeOf(() => buffer.addFileSegment(segment, -1, 1))).toBe('ERR_EVBUFFER_OUT_OF_RANGE');
  expect(codeOf(() => buffer.addFileSegment(segment, 5, 6))).toBe('ERR_EVBUFFER_OUT_OF_RANGE');
  expect(codeOf(() => buffer.addFileSegment({} as FileSegment))).toBe('ERR_EVBUFFER_INVALID_ARGUMENT');
  buffer.addFileSegment(segment, 10);
  expect(buffer.length).toBe(0);
  buffer.freeze('back');
  expect(codeOf(() => buffer.addFileSegment(segment))).toBe('ERR_EVBUFFER_FROZEN_BACK');
  segment.close();
  expect(codeOf(() => segment.retain())).toBe('ERR_EVBUFFER_INVALID_STATE');
  buffer.unfreeze('back');
  expect(codeOf(() => buffer.addFileSegment(segment))).toBe('ERR_EVBUFFER_INVALID_STATE');
  expect(buffer.length).toBe(0);
});

// regress A43: nothing can be added of an empty file, and yet it is cleaned up.
test('an empty file is a segment of which nothing can be added', async () => {
  const path = fileOf('');
  const [segment, cleanedUp] = await opened(path);
  expect(descriptorsOf(path)).toBe(1);
  const buffer = new Evbuffer();
  const changes: unknown[] = [];
  buffer.watch((_, change) => changes.push(change));
  buffer.addFileSegment(segment);
  buffer.addFileSegment(segment, 0, 0);
  expect(codeOf(() => buffer.addFileSegment(segment, 0, 1))).toBe('ERR_EVBUFFER_OUT_OF_RANGE');
  validate(buffer);
  expect([segment.length, buffer.length, buffer.peekFile(), changes, segment.closed]).toEqual([0, 0, null, [], false]);
  segment.close();
  expect(segment.closed).toBe(true);
  await cleanedUp;
  expect(descriptorsOf(path)).toBe(0);
});

// regress A43: who is refused a segment has nothing to clean up.
test('a FileHandle that is closed already is refused, and nothing is told to close', async () => {
  const path = fileOf('abc');
  const handle = await open(path);
  await handle.close();
  let closings = 0;
  await expect(FileSegment.open(handle, { onClose: () => closings++ })).rejects.toMatchObject({ code: 'EBADF' });
  await expect(FileSegment.open(handle, { length: 0, onClose: () => closings++ })).rejects.toThrow();
  await turn();
  expect([closings, descriptorsOf(path)]).toEqual([0, 0]);
});
