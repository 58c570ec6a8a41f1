import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { createStreamPair, type StreamPair } from 'evbuffer/web';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { expectText } from './support/check.js';
import { expectCode, expectSame, noise } from './support/chunks.js';

afterEach(() => vi.unstubAllGlobals());

/** Lets everything happen that can happen without another act of the test. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const textOf = (chunk: Uint8Array | undefined): string => Buffer.from(chunk ?? []).toString('latin1');

/** Appends a word to the log when a promise is fulfilled, and another when it is rejected. */
function record(log: string[], word: string, promise: Promise<unknown>): void {
  promise.then(
    () => log.push(word),
    (error) => log.push(`${word}: ${error?.code ?? error?.message ?? error}`),
  );
}

/** A buffer that tells how many watchers it has. */
function counted(): { buffer: Evbuffer; watchers: () => number } {
  const buffer = new Evbuffer();
  const watch = vi.spyOn(buffer, 'watch');
  return { buffer, watchers: () => watch.mock.results.filter(({ value }) => value.enabled).length };
}

test('strings, buffers and views of any kind are copied to the back, and stay the writer’s', async () => {
  const { buffer, writable } = createStreamPair();
  const writer = writable.getWriter();
  const mine = new Uint8Array([1, 2]);
  await writer.write(mine);
  mine.fill(0);
  const eight = Uint8Array.of(9, 3, 4, 5, 6, 9, 9, 9).buffer;
  await writer.write(new Uint16Array(Uint8Array.of(0, 0, 3, 4).buffer, 2, 1));
  await writer.write(new DataView(eight, 3, 2));
  await writer.write(Uint8Array.of(7).buffer);
  const shared = new SharedArrayBuffer(1);
  new Uint8Array(shared)[0] = 8;
  await writer.write(shared);
  await writer.write('é');
  await writer.write('');
  expect(eight.byteLength).toBe(8);
  expect([...buffer.toUint8Array()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 0xc3, 0xa9]);
});

test('a chunk is the reader’s own: at most 64 KiB, alone in its memory, untouched by what the buffer does later', async () => {
  const { buffer, readable } = createStreamPair();
  const whole = noise(150_000);
  buffer.add(whole);
  const reader = readable.getReader();
  const chunks: Uint8Array[] = [];
  for (let left = 150_000; left > 0; left -= chunks.at(-1)?.length ?? 0) {
    const { value } = await reader.read();
    expect(value?.buffer.byteLength).toBe(value?.length);
    chunks.push(value as Uint8Array);
    expect(buffer.length).toBe(left - (value?.length ?? 0));
  }
  expect(chunks.map((chunk) => chunk.length)).toEqual([65536, 65536, 18928]);
  buffer.add(new Uint8Array(150_000).fill(0xff));
  expectSame(Buffer.concat(chunks), whole);
});

test('nothing leaves the buffer before somebody reads', async () => {
  const { buffer, readable, writable } = createStreamPair();
  await writable.getWriter().write('abc');
  await turn();
  const reader = readable.getReader();
  await turn();
  expectText(buffer, 'abc');
  expect(textOf((await reader.read()).value)).toBe('abc');
  await turn();
  buffer.add('later');
  await turn();
  expectText(buffer, 'later');
});

test('a BYOB read fills the memory of the reader, whatever its type and place', async () => {
  const { buffer, readable } = createStreamPair();
  buffer.add(Uint8Array.from({ length: 40 }, (_, i) => i));
  const reader = readable.getReader({ mode: 'byob' });
  const memory = new ArrayBuffer(16);
  const first = (await reader.read(new Uint8Array(memory, 5, 7))).value as Uint8Array;
  expect(memory.byteLength).toBe(0);
  expect([first.byteOffset, first.length, first.buffer.byteLength]).toEqual([5, 7, 16]);
  expect([...new Uint8Array(first.buffer)]).toEqual([0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0]);
  expect(buffer.length).toBe(33);
  const words = (await reader.read(new Uint32Array(2))).value as Uint32Array;
  expect([...new Uint8Array(words.buffer)]).toEqual([7, 8, 9, 10, 11, 12, 13, 14]);
  const rest = (await reader.read(new DataView(new ArrayBuffer(100)))).value as DataView;
  expect([rest.byteLength, rest.getUint8(0), rest.getUint8(24), buffer.length]).toEqual([25, 15, 39, 0]);
});

test('a BYOB read of elements waits for a whole one', async () => {
  const { buffer, readable } = createStreamPair();
  const reader = readable.getReader({ mode: 'byob' });
  const log: string[] = [];
  const read = reader.read(new Uint16Array(4));
  record(log, 'read', read);
  buffer.add(Uint8Array.of(1));
  await turn();
  expect(log).toEqual([]);
  buffer.add(Uint8Array.of(2, 3));
  const { value } = await read;
  expect([value?.length, value?.[0]]).toEqual([1, 0x0201]);
  buffer.add(Uint8Array.of(4));
  expect((await reader.read(new Uint16Array(1))).value?.[0]).toBe(0x0403);
});

test('bytes that others add answer reads that wait, those of one turn together', async () => {
  const { buffer, readable } = createStreamPair();
  const reader = readable.getReader();
  const first = reader.read();
  const second = reader.read();
  await turn();
  buffer.add('dy');
  buffer.add(' is here');
  buffer.prepend('bo');
  expectText(buffer, 'body is here');
  expect(textOf((await first).value)).toBe('body is here');
  buffer.addReference(new Uint8Array([33]));
  expect(textOf((await second).value)).toBe('!');
  const third = reader.read();
  await turn();
  buffer.add('taken by somebody else');
  buffer.drain();
  await turn();
  buffer.add('?');
  expect(textOf((await third).value)).toBe('?');
});

test('a read that waits when its reader lets go of the stream takes no bytes away', async () => {
  for (const mode of [undefined, 'byob'] as const) {
    const { buffer, readable } = createStreamPair();
    const log: string[] = [];
    if (mode === 'byob') {
      const reader = readable.getReader({ mode });
      record(log, 'read', reader.read(new Uint8Array(2)));
      await turn();
      reader.releaseLock();
    } else {
      const reader = readable.getReader();
      record(log, 'read', reader.read());
      await turn();
      reader.releaseLock();
    }
    buffer.add('abcdef');
    await turn();
    expect(log).toEqual(['read: ERR_INVALID_STATE']);
    const reader = readable.getReader();
    let all = '';
    while (all.length < 6) all += textOf((await reader.read()).value);
    expect(all).toBe('abcdef');
  }
});

test('writers wait while the buffer holds the high-water mark or more, whoever takes bytes away', async () => {
  const { buffer, readable, writable } = createStreamPair({ highWaterMark: 4 });
  const writer = writable.getWriter();
  const log: string[] = [];
  const state = async (): Promise<unknown[]> => {
    await turn();
    return [buffer.length, writer.desiredSize, log.join(' ')];
  };
  expect(await state()).toEqual([0, 1, '']);
  record(log, 'abc', writer.write('abc'));
  expect(await state()).toEqual([3, 1, 'abc']);
  record(log, 'def', writer.write('def'));
  record(log, 'ghi', writer.write('ghi'));
  record(log, 'ready', writer.ready);
  expect(await state()).toEqual([6, -1, 'abc']);
  buffer.drain(2);
  expect(await state()).toEqual([4, -1, 'abc']);
  buffer.drain(1);
  expect(await state()).toEqual([6, 0, 'abc def']);
  const reader = readable.getReader({ mode: 'byob' });
  expect(textOf((await reader.read(new Uint8Array(2))).value)).toBe('de');
  expect(await state()).toEqual([4, 0, 'abc def']);
  expect(textOf((await reader.read(new Uint8Array(1))).value)).toBe('f');
  expect(await state()).toEqual([3, 1, 'abc def ghi ready']);
  buffer.add('direct');
  record(log, 'j', writer.write('j'));
  expect(await state()).toEqual([10, 0, 'abc def ghi ready']);
  buffer.moveTo(new Evbuffer(), 7);
  expect(await state()).toEqual([3, 1, 'abc def ghi ready j']);
});

test('a high-water mark of 0 makes writers wait until all is taken, one of Infinity never', async () => {
  const strict = createStreamPair({ highWaterMark: 0 });
  const log: string[] = [];
  const writer = strict.writable.getWriter();
  record(log, 'nothing', writer.write(''));
  record(log, 'ab', writer.write('ab'));
  await turn();
  strict.buffer.drain(1);
  await turn();
  expect(log).toEqual(['nothing']);
  strict.buffer.drain(1);
  await turn();
  expect(log).toEqual(['nothing', 'ab']);

  const loose = createStreamPair({ highWaterMark: Number.POSITIVE_INFINITY });
  await loose.writable.getWriter().write(new Uint8Array(1_000_000));
  expect(loose.buffer.length).toBe(1_000_000);
});

test('without a mark, writers wait at 64 KiB', async () => {
  const { buffer, writable } = createStreamPair();
  const writer = writable.getWriter();
  await writer.write(new Uint8Array(65535));
  const log: string[] = [];
  record(log, 'last', writer.write('x'));
  await turn();
  expect(log).toEqual([]);
  buffer.drain(1);
  await turn();
  expect(log).toEqual(['last']);
});

test('close is done at once, and the readable ends after the last byte', async () => {
  const { buffer, watchers } = counted();
  buffer.add('before ');
  const { readable, writable } = createStreamPair({ buffer });
  const writer = writable.getWriter();
  await writer.write('after');
  await writer.close();
  const reader = readable.getReader();
  expect(watchers()).toBe(1);
  expect(textOf((await reader.read()).value)).toBe('before after');
  expect(await reader.read()).toEqual({ done: true, value: undefined });
  await reader.closed;
  expect(watchers()).toBe(0);
});

test('a pair that is done leaves its buffer alone, also when bytes in the stream itself are cancelled', async () => {
  const { buffer, readable, writable } = createStreamPair();
  const reader = readable.getReader();
  const read = expect(reader.read()).rejects.toMatchObject({ code: 'ERR_INVALID_STATE' });
  await turn();
  reader.releaseLock();
  buffer.add('taken for the read that was given up');
  await read;
  await turn();
  expect(buffer.length).toBe(0);
  await writable.close();
  buffer.add('something else');
  await readable.cancel();
  expectText(buffer, 'something else');
});

test('after close, bytes may still be added, and be taken by others, until the buffer is empty', async () => {
  const { buffer, watchers } = counted();
  const { readable, writable } = createStreamPair({ buffer });
  const log: string[] = [];
  const reader = readable.getReader();
  record(log, 'closed', reader.closed);
  buffer.add('ab');
  await writable.close();
  await turn();
  buffer.drain();
  buffer.add('cd');
  await turn();
  expect(log).toEqual([]);
  buffer.drain();
  await turn();
  expect(log).toEqual(['closed']);
  expect(watchers()).toBe(0);
});

test('the end answers reads that wait', async () => {
  const { readable, writable } = createStreamPair();
  const reader = readable.getReader();
  const reads = [reader.read(), reader.read()];
  await turn();
  await writable.close();
  expect(await Promise.all(reads)).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);

  const other = createStreamPair();
  const byob = other.readable.getReader({ mode: 'byob' }).read(new Uint8Array(new ArrayBuffer(9), 2, 4));
  await turn();
  await other.writable.close();
  const { done, value } = await byob;
  expect([done, value?.length, value?.buffer.byteLength]).toEqual([true, 0, 9]);
});

test('an end inside an element is an error of the reader alone', async () => {
  const { buffer, readable, writable } = createStreamPair();
  const log: string[] = [];
  record(log, 'read', readable.getReader({ mode: 'byob' }).read(new Uint16Array(2)));
  buffer.add('x');
  await turn();
  await writable.close();
  await turn();
  expect(log).toEqual(['read: ERR_INVALID_STATE']);
});

test('abort makes reads and writes fail with its reason, and gives the memory back', async () => {
  const { buffer, watchers } = counted();
  const { readable, writable } = createStreamPair({ buffer, highWaterMark: 4 });
  let releases = 0;
  buffer.addReference(new Uint8Array(8), () => releases++);
  const writer = writable.getWriter();
  const log: string[] = [];
  record(log, 'under way', writer.write('abc'));
  record(log, 'queued', writer.write('def'));
  record(log, 'ready', writer.ready);
  record(log, 'writer', writer.closed);
  await turn();
  expect(buffer.length).toBe(11);
  await writer.abort(new Error('no more'));
  record(log, 'later', writer.write('ghi'));
  const reader = readable.getReader();
  record(log, 'read', reader.read());
  record(log, 'reader', reader.closed);
  await turn();
  expect(log.sort()).toEqual(
    ['under way', 'queued', 'ready', 'writer', 'later', 'read', 'reader'].map((word) => `${word}: no more`).sort(),
  );
  expect([buffer.length, releases, watchers()]).toEqual([0, 1, 0]);
});

test('abort answers reads that wait with what closed says, also without a reason', async () => {
  for (const mode of [undefined, 'byob'] as const) {
    for (const reason of [undefined, null, 'reason', new Error('reason')]) {
      const { readable, writable } = createStreamPair();
      const reader = mode === 'byob' ? readable.getReader({ mode }) : readable.getReader();
      const writer = writable.getWriter();
      const read = reader.read(new Uint8Array(3));
      await turn();
      const failed = Promise.allSettled([read, reader.closed, writer.closed]);
      await writer.abort(reason);
      expect(await failed).toEqual(Array(3).fill({ status: 'rejected', reason }));
    }
  }
});

test('abort without a reason ends a write that waits for room, and then the readable', async () => {
  const { buffer, readable, writable } = createStreamPair({ highWaterMark: 1 });
  const writer = writable.getWriter();
  const write = writer.write('abc').catch((reason) => reason);
  await turn();
  const failed = Promise.allSettled([readable.getReader().closed, writer.closed]);
  await writer.abort();
  expect((await write).name).toBe('AbortError');
  expect(await failed).toEqual(Array(2).fill({ status: 'rejected', reason: undefined }));
  expect(buffer.length).toBe(0);
});

test('disposing of the buffer takes the watch away, and nobody of the pair waits for ever', async () => {
  const { buffer, readable, writable } = createStreamPair({ highWaterMark: 3 });
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const log: string[] = [];
  record(log, 'read', reader.read());
  await turn();
  buffer[Symbol.dispose]();
  record(log, 'write', writer.write('abc'));
  await turn();
  expect(log).toEqual(['read', 'write']);
  record(log, 'full', writer.write('defg'));
  await turn();
  expect(textOf((await reader.read()).value)).toBe('defg');
  await turn();
  expect(log).toEqual(['read', 'write', 'full']);
  await writer.write('hi');
  await writer.close();
  buffer[Symbol.dispose]();
  record(log, 'end', reader.read());
  await turn();
  expect(log.at(-1)).toBe('end');
  expect((await reader.read()).done).toBe(true);
});

test('abort after close changes nothing', async () => {
  const { buffer, readable, writable } = createStreamPair();
  buffer.add('all of it');
  await turn();
  const writer = writable.getWriter();
  const closed = writer.close();
  await writer.abort(new Error('too late'));
  await closed;
  expect(await new Response(readable).text()).toBe('all of it');
});

test('cancel makes writes fail with its reason, and gives the memory back', async () => {
  const { buffer, watchers } = counted();
  const { readable, writable } = createStreamPair({ buffer, highWaterMark: 4 });
  let releases = 0;
  buffer.addReference(new Uint8Array(8), () => releases++);
  const writer = writable.getWriter();
  const log: string[] = [];
  record(log, 'under way', writer.write('abc'));
  record(log, 'queued', writer.write('def'));
  record(log, 'writer', writer.closed);
  await turn();
  await readable.cancel(new Error('not interested'));
  record(log, 'later', writer.write('ghi'));
  record(log, 'ready', writer.ready);
  await turn();
  expect(log.sort()).toEqual(
    ['under way', 'queued', 'writer', 'later', 'ready'].map((word) => `${word}: not interested`).sort(),
  );
  expect([buffer.length, releases, watchers()]).toEqual([0, 1, 0]);
});

test('cancel between close and the end gives the memory back', async () => {
  const { buffer, watchers } = counted();
  const { readable, writable } = createStreamPair({ buffer });
  buffer.add('unread');
  await writable.close();
  await readable.cancel('enough');
  expect([buffer.length, watchers()]).toEqual([0, 0]);
});

test('leaving a loop over the readable cancels it', async () => {
  const { buffer, readable, writable } = createStreamPair();
  const writer = writable.getWriter();
  const closed = expect(writer.closed).rejects.toBeUndefined();
  await writer.write('a');
  for await (const chunk of readable) {
    expect(textOf(chunk)).toBe('a');
    buffer.add('b');
    break;
  }
  await closed;
  expect(buffer.length).toBe(0);
});

test('a frozen front makes both streams fail when somebody reads, and nothing is lost', async () => {
  for (const mode of [undefined, 'byob'] as const) {
    const { buffer, watchers } = counted();
    const { readable, writable } = createStreamPair({ buffer });
    const writer = writable.getWriter();
    await writer.write('abc');
    buffer.freeze('front');
    const read = mode === 'byob' ? readable.getReader({ mode }).read(new Uint8Array(3)) : readable.getReader().read();
    await expect(read).rejects.toMatchObject({ code: 'ERR_EVBUFFER_FROZEN_FRONT' });
    await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_EVBUFFER_FROZEN_FRONT' });
    expectText(buffer, 'abc');
    expect(watchers()).toBe(0);
  }
});

test('a frozen front keeps its bytes from cancel and abort, which reject', async () => {
  for (const act of ['cancel', 'abort'] as const) {
    const { buffer, watchers } = counted();
    const { readable, writable } = createStreamPair({ buffer });
    buffer.add('in flight');
    buffer.freeze('front');
    const stopped = act === 'cancel' ? readable.cancel('reason') : writable.abort('reason');
    await expect(stopped).rejects.toMatchObject({ code: 'ERR_EVBUFFER_FROZEN_FRONT' });
    const other = act === 'cancel' ? writable.getWriter().closed : readable.getReader().closed;
    await expect(other).rejects.toBe('reason');
    expectText(buffer, 'in flight');
    expect(watchers()).toBe(0);
  }
});

test('what the buffer or the pair refuses to take makes both streams fail, and nothing is lost', async () => {
  for (const [chunk, code] of [
    ['def', 'ERR_EVBUFFER_FROZEN_BACK'],
    [5, 'ERR_EVBUFFER_INVALID_ARGUMENT'],
    [null, 'ERR_EVBUFFER_INVALID_ARGUMENT'],
    [[1, 2], 'ERR_EVBUFFER_INVALID_ARGUMENT'],
    [undefined, 'ERR_EVBUFFER_INVALID_ARGUMENT'],
  ] as const) {
    const { buffer, watchers } = counted();
    const { readable, writable } = createStreamPair({ buffer });
    const writer = writable.getWriter();
    await writer.write('abc');
    if (code === 'ERR_EVBUFFER_FROZEN_BACK') buffer.freeze('back');
    const closed = expect(writer.closed).rejects.toMatchObject({ code });
    const error = await writer.write(chunk as string).catch((reason) => reason);
    expect(error.code).toBe(code);
    if (code === 'ERR_EVBUFFER_INVALID_ARGUMENT') expect(error).toBeInstanceOf(TypeError);
    await closed;
    await expect(readable.getReader().read()).rejects.toBe(error);
    expectText(buffer, 'abc');
    expect(watchers()).toBe(0);
  }
});

test('lent memory that is gone makes the read fail, and the writer too', async () => {
  const { buffer, readable, writable } = createStreamPair({ highWaterMark: 1 });
  const lent = new Uint8Array(4);
  buffer.addReference(lent);
  const writer = writable.getWriter();
  const write = expect(writer.write('abc')).rejects.toMatchObject({ code: 'ERR_EVBUFFER_DETACHED' });
  const closed = expect(writer.closed).rejects.toMatchObject({ code: 'ERR_EVBUFFER_DETACHED' });
  await turn();
  structuredClone(lent.buffer, { transfer: [lent.buffer] });
  await expect(readable.getReader().read()).rejects.toMatchObject({ code: 'ERR_EVBUFFER_DETACHED' });
  await Promise.all([write, closed]);
  expect(buffer.length).toBe(7);
});

test('what a watcher of the user throws reaches the one whose stream made the change', async () => {
  const { buffer, readable, writable } = createStreamPair();
  const oops = new Error('oops');
  buffer.watch(() => {
    throw oops;
  });
  const writer = writable.getWriter();
  const closed = expect(writer.closed).rejects.toBe(oops);
  await expect(writer.write('abc')).rejects.toBe(oops);
  await closed;
  await expect(readable.getReader().closed).rejects.toBe(oops);
});

test('bytes that were read when user code throws are delivered, and then the exception', async () => {
  for (const mode of [undefined, 'byob'] as const) {
    for (const who of ['watcher', 'release'] as const) {
      const { buffer, readable, writable } = createStreamPair();
      const oops = new Error('oops');
      const fail = (): never => {
        throw oops;
      };
      buffer.addReference(Uint8Array.of(97, 98, 99), who === 'release' ? fail : undefined);
      if (who === 'watcher') buffer.watch(fail);
      const reader = mode === 'byob' ? readable.getReader({ mode }) : readable.getReader();
      const { value } = await reader.read(new Uint8Array(10));
      expect(textOf(value)).toBe('abc');
      await expect(reader.read(new Uint8Array(10))).rejects.toBe(oops);
      await expect(writable.getWriter().closed).rejects.toBe(oops);
    }
  }
});

test('a chunk of detached memory is a wrong argument, whatever its kind', async () => {
  for (const chunk of [new DataView(new ArrayBuffer(8)), new Uint16Array(4), new ArrayBuffer(8)]) {
    const memory = ArrayBuffer.isView(chunk) ? chunk.buffer : chunk;
    structuredClone(memory, { transfer: [memory] });
    const { writable } = createStreamPair();
    const error = await writable
      .getWriter()
      .write(chunk)
      .catch((reason) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe('ERR_EVBUFFER_INVALID_ARGUMENT');
  }
});

test('a stream may be stopped by a watcher, in the middle of a read', async () => {
  const { buffer, readable, writable } = createStreamPair();
  buffer.add('abc');
  buffer.watch((_, { removed }) => {
    if (removed > 0) void writable.abort('stopped').catch(() => {});
  });
  await expect(readable.getReader().read()).rejects.toBe('stopped');
  await turn();
  validate(buffer);
  expect(buffer.length).toBe(0);
});

test('compressed and decompressed through four pairs, bytes are what they were', async () => {
  const whole = noise(300_000);
  const stage = (highWaterMark: number): StreamPair => createStreamPair({ highWaterMark });
  const out = new Blob([whole])
    .stream()
    .pipeThrough(stage(1000))
    .pipeThrough(new CompressionStream('gzip'))
    .pipeThrough(stage(1))
    .pipeThrough(new DecompressionStream('gzip'));
  const last = createStreamPair();
  const [received] = await Promise.all([new Response(last.readable).arrayBuffer(), out.pipeTo(last.writable)]);
  expectSame(new Uint8Array(received), whole);
});

test('text comes out of a decoder whole, however it was cut', async () => {
  const { readable, writable } = createStreamPair({ highWaterMark: 1 });
  const write = async (): Promise<void> => {
    const writer = writable.getWriter();
    for (const byte of new TextEncoder().encode('wörld € 😀')) await writer.write(Uint8Array.of(byte));
    await writer.close();
  };
  let text = '';
  const read = async (): Promise<void> => {
    for await (const part of readable.pipeThrough(new TextDecoderStream())) text += part;
  };
  await Promise.all([write(), read()]);
  expect(text).toBe('wörld € 😀');
});

test('a failure travels through pipes in both directions', async () => {
  const before = createStreamPair();
  const after = createStreamPair();
  const pipe = before.readable.pipeTo(after.writable).catch((reason) => reason);
  await before.writable.abort('from the front');
  expect(await pipe).toBe('from the front');
  await expect(after.readable.getReader().read()).rejects.toBe('from the front');

  const first = createStreamPair();
  const second = createStreamPair();
  const other = first.readable.pipeTo(second.writable).catch((reason) => reason);
  await second.readable.cancel('from the back');
  expect(await other).toBe('from the back');
  await expect(first.writable.getWriter().closed).rejects.toBe('from the back');
});

test('both branches of a tee get all bytes', async () => {
  const { readable, writable } = createStreamPair({ highWaterMark: 10 });
  const [left, right] = readable.tee();
  const texts = Promise.all([new Response(left).text(), new Response(right).text()]);
  const writer = writable.getWriter();
  for (let i = 0; i < 20; i++) await writer.write(`${i} `);
  await writer.close();
  const all = Array.from({ length: 20 }, (_, i) => `${i} `).join('');
  expect(await texts).toEqual([all, all]);
});

test('where there are no streams, or none of bytes, it says so, and leaves the buffer alone', () => {
  const { buffer, watchers } = counted();
  vi.stubGlobal('WritableStream', undefined);
  expectCode('ERR_EVBUFFER_UNSUPPORTED', () => createStreamPair({ buffer }));
  vi.unstubAllGlobals();
  vi.stubGlobal('ReadableStream', undefined);
  expectCode('ERR_EVBUFFER_UNSUPPORTED', () => createStreamPair({ buffer }));
  const cause = new TypeError('no byte streams');
  vi.stubGlobal(
    'ReadableStream',
    class {
      constructor() {
        throw cause;
      }
    },
  );
  expect(expectCode('ERR_EVBUFFER_UNSUPPORTED', () => createStreamPair({ buffer })).cause).toBe(cause);
  expect(watchers()).toBe(0);
});

test('wrong arguments are refused before anything is watched', () => {
  const { buffer, watchers } = counted();
  expectCode('ERR_EVBUFFER_INVALID_ARGUMENT', () => createStreamPair(null as never));
  expectCode('ERR_EVBUFFER_INVALID_ARGUMENT', () => createStreamPair({ buffer: {} as never }));
  expectCode('ERR_EVBUFFER_INVALID_ARGUMENT', () => createStreamPair({ buffer, highWaterMark: '1' as never }));
  expectCode('ERR_EVBUFFER_OUT_OF_RANGE', () => createStreamPair({ buffer, highWaterMark: -1 }));
  expect(watchers()).toBe(0);
});

interface Step {
  readonly act: 'write' | 'add' | 'read' | 'turn';
  readonly bytes: number;
  readonly byob: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom('write', 'write', 'add', 'read', 'read', 'turn'),
  bytes: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100_000 })),
  byob: fc.boolean(),
});

/** Numbers bytes from 0 to 127, over and over; `base` tells the writer's from those that were added directly. */
function numbered(base: number, from: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => base + ((from + i) & 127));
}

function ofSource(all: Uint8Array, base: number): Uint8Array {
  return all.filter((byte) => (byte & 128) === base);
}

/** Reads in the way that it is told; while reads wait, in theirs. */
class Consumer {
  readonly received: Uint8Array[] = [];
  pending = 0;
  readonly #readable: StreamPair['readable'];
  #reader: ReadableStreamDefaultReader<Uint8Array> | ReadableStreamBYOBReader | undefined;

  constructor(readable: StreamPair['readable']) {
    this.#readable = readable;
  }

  async read(byob: boolean, bytes: number): Promise<void> {
    if (this.pending === 0) {
      this.#reader?.releaseLock();
      this.#reader = byob ? this.#readable.getReader({ mode: 'byob' }) : this.#readable.getReader();
    }
    this.pending++;
    const reader = this.#reader;
    const { value } =
      reader instanceof ReadableStreamBYOBReader ? await reader.read(new Uint8Array(bytes)) : await reader!.read();
    this.pending--;
    if (value !== undefined) this.received.push(value);
  }
}

test('whoever writes, adds and reads in whatever order: every byte arrives once, in order, and writers wait for room', {
  timeout: 60_000,
}, async () => {
  const highWaterMarks = fc.integer({ min: 0, max: 50_000 });
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), highWaterMarks, async (steps, highWaterMark) => {
    const { buffer, watchers } = counted();
    const { readable, writable } = createStreamPair({ buffer, highWaterMark });
    const writer = writable.getWriter();
    const consumer = new Consumer(readable);
    const promises: Promise<void>[] = [];
    let writesUnderWay = 0;
    let written = 0;
    let added = 0;
    const write = async (chunk: Uint8Array): Promise<void> => {
      writesUnderWay++;
      await writer.write(chunk);
      writesUnderWay--;
    };
    for (const { act, bytes, byob } of steps) {
      if (act === 'write') {
        promises.push(write(numbered(0, written, bytes)));
        written += bytes;
      } else if (act === 'add') {
        buffer.add(numbered(128, added, bytes));
        added += bytes;
      } else if (act === 'read') {
        promises.push(consumer.read(byob, bytes));
      } else {
        await turn();
        expect(writesUnderWay === 0 || buffer.length >= Math.max(1, highWaterMark)).toBe(true);
        expect(consumer.pending === 0 || buffer.length === 0).toBe(true);
      }
      validate(buffer);
    }
    promises.push(writer.close());
    while (watchers() > 0) {
      promises.push(consumer.read(true, 65536));
      await turn();
    }
    await Promise.all(promises);
    const all = new Uint8Array(Buffer.concat(consumer.received));
    expectSame(ofSource(all, 0), numbered(0, 0, written));
    expectSame(ofSource(all, 128), numbered(128, 0, added));
    expect(buffer.length).toBe(0);
  });
  await fc.assert(property, { numRuns: 150, interruptAfterTimeLimit: 30_000 });
});
