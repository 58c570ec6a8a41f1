// fromDuplex: a bufferevent over any Node stream.
import { once } from 'node:events';
import { type Duplex, PassThrough, Readable, Writable } from 'node:stream';
import type { Bufferevent, BuffereventEvent } from 'bufferevent';
import { type ByteStream, fromDuplex, type StreamBufferevent } from 'bufferevent/duplex';
import { describe, expect, it } from 'vitest';
import { contents, KiB, pattern, same, text } from './support/bytes.js';
import { onEveryPair } from './support/pairs.js';
import { Collector } from './support/recorder.js';
import { ScriptedFile } from './support/scripted-file.js';
import { collect, piecesOf, streamPair } from './support/streams.js';
import { failure, rejection, turn } from './support/wait.js';
import { inMemory, type World } from './support/world.js';

function over(world: World, stream: ByteStream): StreamBufferevent {
  return world.keep(fromDuplex(stream, world.base));
}

/** A stream whose writes are done when the test says so. */
class HeldWritable extends Writable {
  readonly chunks: Buffer[] = [];
  #done: ((error?: Error | null) => void) | null = null;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.chunks.push(chunk);
    this.#done = done;
  }

  get waiting(): boolean {
    return this.#done !== null;
  }

  letGo(error?: Error): void {
    const done = this.#done;
    this.#done = null;
    done?.(error);
  }
}

function events(bev: Bufferevent): BuffereventEvent[] {
  const heard: BuffereventEvent[] = [];
  bev.setHandlers({ onEvent: (_, event) => void heard.push(event) });
  return heard;
}

describe('two bufferevents that are connected', () => {
  onEveryPair((world, connect) => {
    it('RD-8, EV-4: handlers echo with pressure; the end comes after the data, and end() is clean', async () => {
      const { left, right } = await connect();
      const data = pattern(world.bytes(500 * KiB));
      const log: string[] = [];
      right.setHandlers({
        onRead(bev) {
          if (!bev.write(bev.input)) bev.disable('read');
        },
        onWrite(bev) {
          if (!bev.readEnded) bev.enable('read');
        },
        onEvent(bev, event) {
          log.push(event.kind);
          void bev.end();
        },
      });
      right.enable('read');
      const collector = new Collector();
      left.setHandlers({ onRead: collector.take });
      left.enable('read');
      for (const piece of piecesOf(data, 9_999)) if (!left.write(piece)) await left.drained();
      expect(await left.end()).toEqual({ kind: 'clean' });
      expect(collector.bytes).toBe(data.length);
      expect(same(collector.data, data)).toBe(true);
      expect(await right.closed).toEqual({ kind: 'clean' });
      expect(log).toEqual(['eof']);
    });

    it('B70, B76: pulls read what was written, up to the end', async () => {
      const { left, right } = await connect();
      left.write('line one\r\n12345rest');
      left.halfClose();
      expect(await right.readLine()).toBe('line one');
      expect(text(await right.read(5))).toBe('12345');
      let rest = '';
      for await (const chunk of right) rest += text(chunk);
      expect(rest).toBe('rest');
      expect(await right.read()).toBeNull();
      right.write('answer');
      await Promise.all([right.end(), left.end()]);
      expect(text(await left.read())).toBe('answer');
    });

    it('FR-1: nothing is called after free()', async () => {
      const { left, right } = await connect();
      const log: string[] = [];
      const handlers = {
        onRead: () => log.push('read'),
        onWrite: () => log.push('write'),
        onEvent: () => log.push('event'),
      };
      left.setHandlers(handlers as never);
      left.enable('read');
      right.write('x');
      await world.until(() => log.length > 0, 'a byte');
      left.free();
      log.length = 0;
      right.write('y');
      right.halfClose();
      for (let count = 0; count < 30; count++) await turn();
      expect(log).toEqual([]);
      right.free();
    });
  });
});

describe('fromDuplex', () => {
  inMemory((world) => {
    it('CB-1: no handler runs inside an event of the stream, nor inside a call of whoever feeds it', async () => {
      const [near, far] = streamPair();
      const bev = over(world, near);
      let calls = 0;
      bev.setHandlers({ onRead: () => (calls += 1), onEvent: () => (calls += 1) } as never);
      bev.enable('read');
      await turn();
      far.write('x');
      far.end();
      expect(calls).toBe(0);
      expect(bev.input.length).toBe(1);
      await world.settle();
      expect(calls).toBe(2);
      bev.free();
    });

    it('RD-4: input never exceeds its mark, also when one chunk does; what is left over comes later', async () => {
      const stream = new PassThrough({ highWaterMark: 1 });
      const bev = over(world, stream);
      bev.setWatermarks('read', { high: 100 });
      const data = pattern(1_000);
      stream.push(data.subarray(0, 950));
      stream.push(data.subarray(950));
      bev.enable('read');
      const got: Uint8Array[] = [];
      while (got.length < 10) {
        await world.until(() => bev.input.length === 100, 'a full input');
        await world.settle();
        expect(bev.input.length).toBe(100);
        got.push(bev.input.remove(100));
      }
      expect(same(Buffer.concat(got), data)).toBe(true);
      bev.free();
    });

    it('RD-4: a stream that is not read rests', async () => {
      const stream = new Readable({ read() {} });
      const bev = over(world, { readable: stream, writable: new PassThrough() });
      stream.push('x');
      await world.settle();
      expect([stream.isPaused(), stream.readableLength]).toEqual([true, 1]);
      bev.enable('read');
      await world.until(() => bev.input.length === 1, 'the byte');
      expect(stream.isPaused()).toBe(false);
      bev.disable('read');
      await world.settle();
      expect(stream.isPaused()).toBe(true);
      bev.free();
    });

    it('RD-4: no more than the chunk that filled the input leaves the stream', async () => {
      const stream = new PassThrough();
      const bev = over(world, stream);
      bev.setWatermarks('read', { high: 100 });
      for (const piece of piecesOf(pattern(2_000), 150)) stream.push(piece);
      bev.enable('read');
      await world.until(() => bev.input.length === 100, 'a full input');
      await world.settle();
      expect(stream.readableLength).toBe(1_850);
      bev.free();
    });

    it('the input refers to the chunks of the stream, or to copies of them with copyChunks', async () => {
      for (const copyChunks of [false, true]) {
        const stream = new PassThrough();
        const bev = world.keep(fromDuplex(stream, world.base, { copyChunks }));
        const chunk = Buffer.alloc(2_000, 1);
        bev.enable('read');
        stream.push(chunk);
        await world.until(() => bev.input.length === 2_000, 'the chunk');
        chunk.fill(2);
        expect(contents(bev.input)[0]).toBe(copyChunks ? 1 : 2);
        bev.free();
      }
    });

    it('what is sent is a copy: the stream may keep it while the output uses its memory again', async () => {
      const writable = new HeldWritable();
      const bev = over(world, { readable: new PassThrough(), writable });
      for (let round = 0; round < 50; round++) {
        bev.write(pattern(3_000, round));
        await world.until(() => writable.waiting, 'a write');
        writable.letGo();
        await world.until(() => bev.output.length === 0, 'the end of the write');
      }
      writable.chunks.forEach((chunk, round) => {
        expect(same(chunk, pattern(3_000, round))).toBe(true);
      });
      bev.free();
    });

    it('WR-2: bytes leave the output when the stream has called back for them, 64 KiB at a time', async () => {
      const writable = new HeldWritable();
      const bev = over(world, { readable: new PassThrough(), writable });
      let writes = 0;
      bev.setHandlers({ onWrite: () => (writes += 1) } as never);
      bev.write(pattern(100 * KiB));
      const drained = bev.drained();
      await world.settle();
      expect([writable.chunks.length, writable.writableLength, bev.output.length]).toEqual([1, 64 * KiB, 100 * KiB]);
      writable.letGo();
      await world.settle();
      expect([writable.chunks.length, bev.output.length, writes]).toEqual([2, 36 * KiB, 0]);
      writable.letGo();
      await drained;
      await world.settle();
      expect([bev.output.length, writes]).toEqual([0, 1]);
      bev.free();
    });

    it('a stream that was full when it was handed over is left alone until its "drain"', async () => {
      const writable = new HeldWritable({ highWaterMark: 4 });
      writable.write('full');
      const bev = over(world, { readable: new PassThrough(), writable });
      bev.write('more');
      await world.settle();
      expect(writable.writableLength).toBe(4);
      writable.letGo();
      await world.until(() => writable.chunks.length === 2, 'the write');
      expect(writable.chunks.join()).toBe('full,more');
      bev.free();
    });

    it('B39: bytes in files leave in their place in the order', async () => {
      const [near, far] = streamPair();
      const bev = over(world, near);
      const file = new ScriptedFile(pattern(200 * KiB));
      bev.write('<');
      bev.output.addFileSegment(file);
      bev.write('>');
      bev.halfClose();
      const got = await collect(far);
      expect(same(got, Buffer.concat([Buffer.from('<'), pattern(200 * KiB), Buffer.from('>')]))).toBe(true);
      bev.free();
      await world.settle();
      expect(file.users).toBe(0);
    });

    it('B39: a file that can not be read fails the connection after the bytes before it', async () => {
      const [near, far] = streamPair();
      const bev = over(world, near);
      const heard = events(bev);
      const file = new ScriptedFile(pattern(1_000));
      file.readableTo = 0;
      bev.write('before');
      bev.output.addFileSegment(file);
      await world.until(() => heard.length === 1, 'the error');
      expect(heard).toMatchObject([{ kind: 'error', direction: 'write', error: { code: 'ERR_EVBUFFER_FILE_READ' } }]);
      expect(String(far.read())).toBe('before');
      bev.free();
      await world.settle();
      expect(file.users).toBe(0);
    });

    it('B60: halfClose() ends the stream after what is queued; reading goes on', async () => {
      const [near, far] = streamPair();
      const bev = over(world, near);
      bev.write('last');
      bev.halfClose();
      expect((await collect(far)).toString()).toBe('last');
      expect(bev.writeEnded).toBe(true);
      far.end('answer');
      expect(text(await bev.read())).toBe('answer');
      expect(await bev.end()).toEqual({ kind: 'clean' });
    });

    it('RD-7, RD-8: an error of the stream comes after its bytes, once, as it is, and to who waits', async () => {
      const [near] = streamPair();
      const bev = over(world, near);
      const heard = events(bev);
      near.push('before');
      bev.enable('read');
      await world.until(() => bev.input.length === 6, 'the bytes');
      const waiting = rejection(bev.read(100));
      const error = new Error('broken');
      near.destroy(error);
      expect(await waiting).toBe(error);
      await world.settle();
      expect(heard).toEqual([{ kind: 'error', direction: 'read', error }]);
      expect(await bev.closed).toEqual({ kind: 'error', error });
      expect(contents(bev.input).toString()).toBe('before');
      bev.free();
    });

    it('a stream that closes without an end is a connection that was reset', async () => {
      const [near] = streamPair();
      const bev = over(world, near);
      const heard = events(bev);
      bev.enable('read');
      near.destroy();
      expect(await bev.closed).toMatchObject({ kind: 'reset', error: { code: 'ECONNRESET', syscall: 'read' } });
      await world.settle();
      expect(heard.length).toBe(1);
      bev.free();
    });

    it('WR-6: a write that fails is an error of writing; what was not sent stays, and reading goes on', async () => {
      const writable = new HeldWritable();
      const readable = new PassThrough();
      const bev = over(world, { readable, writable });
      const heard = events(bev);
      bev.write('unsent');
      await world.until(() => writable.waiting, 'the write');
      const error = new Error('no room');
      writable.letGo(error);
      await world.settle();
      expect(heard).toEqual([{ kind: 'error', direction: 'write', error }]);
      expect(contents(bev.output).toString()).toBe('unsent');
      readable.end('still here');
      expect(text(await bev.read())).toBe('still here');
      bev.free();
    });

    it('a stream that throws in write() fails the connection, and nothing surfaces', async () => {
      const writable = new Writable({
        write() {
          throw new Error('thrown');
        },
      });
      const bev = over(world, { readable: new PassThrough(), writable });
      bev.write('x');
      expect(await bev.closed).toMatchObject({ kind: 'error', error: { message: 'thrown' } });
      bev.free();
    });

    it('a writable side that was ended by somebody else fails with EPIPE', async () => {
      const [near] = streamPair();
      near.end();
      await once(near, 'finish');
      const bev = over(world, near);
      bev.write('x');
      expect(await bev.closed).toMatchObject({ kind: 'reset', error: { code: 'EPIPE' } });
      bev.free();
    });

    it('a writable stream that closes before its end fails writing with EPIPE; reading goes on', async () => {
      const [readable, writable] = [new PassThrough(), new PassThrough()];
      const bev = over(world, { readable, writable });
      const heard = events(bev);
      writable.destroy();
      await world.settle();
      expect(heard).toMatchObject([{ kind: 'error', direction: 'write', error: { code: 'EPIPE' } }]);
      readable.write('still');
      expect(text(await bev.read())).toBe('still');
      bev.free();
    });

    it('a stream that ends itself with its peer (allowHalfOpen: false) closes cleanly', async () => {
      const stream = new PassThrough({ allowHalfOpen: false });
      const bev = over(world, stream);
      const heard = events(bev);
      bev.enable('read');
      stream.push(null);
      await once(stream, 'close');
      await world.settle();
      expect(heard.map(({ kind }) => kind)).toEqual(['eof']);
      expect(await bev.end()).toEqual({ kind: 'clean' });
    });

    it('a second end is one end', async () => {
      const [near, far] = streamPair();
      const bev = over(world, near);
      const heard = events(bev);
      bev.enable('read');
      far.end();
      far.end();
      await world.settle();
      bev.halfClose();
      bev.halfClose();
      near.end();
      await world.settle();
      expect(heard.map(({ kind }) => kind)).toEqual(['eof']);
      expect(await bev.end()).toEqual({ kind: 'clean' });
    });

    it('a stream that had ended, failed or been destroyed before tells so', async () => {
      const ended = new PassThrough();
      ended.resume().end();
      await once(ended, 'close');
      expect(await over(world, ended).read()).toBeNull();

      const error = new Error('earlier');
      const failed = new PassThrough();
      failed.on('error', () => {}).destroy(error);
      const destroyed = new PassThrough();
      destroyed.destroy();
      await turn();
      expect(await over(world, failed).closed).toEqual({ kind: 'error', error });
      expect(await over(world, destroyed).closed).toMatchObject({ kind: 'reset', error: { code: 'ECONNRESET' } });
    });

    it('B62: free() destroys both sides and needs nobody to listen for their errors', async () => {
      const [readable, writable] = [new PassThrough(), new HeldWritable()];
      const bev = over(world, { readable, writable });
      bev.write('x');
      await turn();
      bev.free();
      expect([readable.destroyed, writable.destroyed]).toEqual([true, true]);
      readable.emit('error', new Error('late'));
      readable.emit('data', Buffer.from('late'));
      writable.letGo(new Error('late'));
      await world.settle();
      expect(await bev.closed).toEqual({ kind: 'freed' });
    });

    it('TO-1, TO-3: time-outs run while reading or writing is tried', async () => {
      const writable = new HeldWritable();
      const bev = over(world, { readable: new PassThrough(), writable });
      const heard = events(bev);
      bev.setTimeouts({ readMs: 100, writeMs: 200 });
      await world.advance(1_000);
      expect(heard).toEqual([]);
      bev.write('x');
      bev.enable('read');
      await world.settle();
      await world.advance(100);
      await world.advance(100);
      expect(heard.map((event) => event.kind === 'timeout' && event.timeout)).toEqual(['read', 'write']);
      expect(bev.enabled).toEqual([]);
      bev.free();
    });

    it('B61: a peer that never ends is given up closeMs after end()', async () => {
      const [near] = streamPair();
      const bev = over(world, near);
      bev.setTimeouts({ closeMs: 100 });
      const ended = bev.end();
      await world.settle();
      await world.advance(100);
      expect(await ended).toMatchObject({ kind: 'timeout', timeout: 'close' });
      expect(near.destroyed).toBe(true);
    });

    it('B67: disposal of the base destroys the stream', async () => {
      const base = world.newBase();
      const [near] = streamPair();
      const bev = world.keep(fromDuplex(near, base));
      await base[Symbol.asyncDispose]();
      expect([bev.freed, near.destroyed]).toEqual([true, true]);
      expect(await failure(() => fromDuplex(streamPair()[0], base))).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
    });

    it('B13: refuses what is no stream of bytes', async () => {
      const bad: unknown[] = [
        null,
        {},
        new Readable(),
        { readable: new PassThrough() },
        new PassThrough({ objectMode: true }),
        new PassThrough().setEncoding('utf8'),
      ];
      for (const stream of bad)
        expect(await failure(() => fromDuplex(stream as Duplex, world.base))).toBeInstanceOf(TypeError);
      const options = { copyChunks: 1 as never };
      expect(await failure(() => fromDuplex(new PassThrough(), world.base, options))).toBeInstanceOf(TypeError);
      expect(await failure(() => fromDuplex(new PassThrough(), {} as never))).toBeInstanceOf(TypeError);
    });

    it('a chunk that is no bytes fails the connection', async () => {
      const stream = new PassThrough();
      const bev = over(world, stream);
      bev.enable('read');
      stream.emit('data', 'text');
      expect(await bev.closed).toMatchObject({ kind: 'error', error: { code: 'ERR_INVALID_ARG_TYPE' } });
      bev.free();
    });
  });
});
