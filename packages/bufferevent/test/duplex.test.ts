// toDuplex: a Node stream over any bufferevent.
import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { BuffereventError, type EventBase, listen, SocketBufferevent } from 'bufferevent';
import { toDuplex } from 'bufferevent/duplex';
import { describe, expect, it } from 'vitest';
import { KiB, pattern, same } from './support/bytes.js';
import { onEveryPair } from './support/pairs.js';
import { collect, piecesOf } from './support/streams.js';
import { failure, rejection, turn, turns } from './support/wait.js';
import { inMemory, onEveryBackend } from './support/world.js';

describe('toDuplex', () => {
  onEveryPair((world, connect) => {
    it('pipeline moves everything, ends the other side, and closes both connections cleanly', async () => {
      const { left, right } = await connect();
      const data = pattern(world.bytes(700 * KiB));
      const far = toDuplex(right);
      const got = collect(far).finally(() => far.end());
      const near = toDuplex(left);
      await pipeline(Readable.from(piecesOf(data, 10_001)), near);
      expect(same(await got, data)).toBe(true);
      await Promise.all([finished(near.resume()), finished(far)]);
      expect(await left.closed).toEqual({ kind: 'clean' });
      expect(await right.closed).toEqual({ kind: 'clean' });
      expect(near.bytesWritten).toBe(data.length);
      expect(far.bytesRead).toBe(data.length);
    });

    it('B60: the end of the peer is "end", and writing goes on', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left).resume();
      const far = toDuplex(right);
      near.end('question');
      expect((await collect(far)).toString()).toBe('question');
      expect(far.writable).toBe(true);
      far.write('ans');
      await turn();
      far.end('wer');
      await finished(far);
      await finished(near);
    });

    it('allowHalfOpen: false ends our side at the end of the peer', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left, { allowHalfOpen: false }).resume();
      const far = toDuplex(right).resume();
      far.end();
      await Promise.all([once(near, 'close'), once(far, 'close')]);
      expect(near.writableFinished).toBe(true);
      expect(await left.closed).toEqual({ kind: 'clean' });
    });

    it('destroy() frees the bufferevent, and "close" comes without "error"', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left);
      const events: string[] = [];
      for (const name of ['error', 'end', 'finish', 'close']) near.on(name, () => events.push(name));
      near.destroy();
      expect(left.freed).toBe(true);
      await once(near, 'close');
      await turns(5);
      expect(events).toEqual(['close']);
      expect(await left.closed).toEqual({ kind: 'freed' });
      right.free();
    });

    it('destroy(error) emits that error, then "close"', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left);
      const error = new Error('enough');
      const events: unknown[] = [];
      near.on('error', (reason) => events.push(reason)).on('close', () => events.push('close'));
      near.destroy(error);
      await world.until(() => events.length === 2, 'the end');
      expect(events).toEqual([error, 'close']);
      right.free();
    });

    it('free() of the bufferevent closes the stream, and finished() tells that it was too early', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left).resume();
      const outcome = rejection(finished(near));
      left.free();
      expect(await outcome).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
      right.free();
    });

    it('a write that waits fails when the stream is destroyed', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left);
      let outcome: Error | null | undefined;
      near.write(new Uint8Array(2 ** 25), (error) => {
        outcome = error;
      });
      await turns(5);
      expect(outcome).toBeUndefined();
      near.destroy();
      await once(near, 'close');
      await world.until(() => outcome !== undefined, 'the callback of the write');
      expect(outcome).toBeInstanceOf(BuffereventError);
      expect(outcome).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      right.free();
    });

    it('WR-4: a write above the hard cap waits its turn in the stream, and arrives whole', async () => {
      const { left, right } = await connect();
      const data = pattern(world.bytes(3 * 1024 * KiB));
      const near = toDuplex(left).resume();
      const far = toDuplex(right);
      let highest = 0;
      left.output.watch((output) => {
        highest = Math.max(highest, output.length);
      });
      near.end(data);
      const got = await collect(far);
      far.end();
      expect(same(got, data)).toBe(true);
      expect(highest).toBeLessThanOrEqual(128 * KiB);
      await finished(near);
    });

    it('writes that were corked leave together', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left);
      const far = toDuplex(right);
      near.cork();
      for (const part of ['a', 'b', 'c']) near.write(part);
      expect(left.output.length).toBe(0);
      near.uncork();
      expect(left.output.length).toBe(3);
      near.end();
      expect((await collect(far)).toString()).toBe('abc');
      near.destroy();
      far.destroy();
    });

    it('bytes that had arrived before are read first', async () => {
      const { left, right } = await connect();
      right.write('early ');
      left.enable('read');
      await world.until(() => left.input.length === 6, 'the early bytes');
      const near = toDuplex(left);
      right.write('late');
      right.halfClose();
      expect((await collect(near)).toString()).toBe('early late');
      near.destroy();
      right.free();
    });

    it('an end that had arrived before is "end"', async () => {
      const { left, right } = await connect();
      right.write('last');
      right.halfClose();
      left.enable('read');
      await world.until(() => left.readEnded, 'the end');
      const near = toDuplex(left);
      expect((await collect(near)).toString()).toBe('last');
      near.destroy();
      right.free();
    });

    it('RD-4: a stream that nobody reads takes what it has room for, and reading of the bufferevent rests', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left, { highWaterMark: 100 });
      const data = pattern(world.bytes(256 * KiB));
      const far = toDuplex(right);
      far.end(data);
      await world.until(() => near.readableLength >= 100, 'a full stream');
      for (let count = 0; count < 20; count++) await turn();
      expect(left.enabled).toEqual(['write']);
      expect(near.readableLength).toBeLessThanOrEqual(64 * KiB + 100);
      expect(left.input.length).toBeLessThanOrEqual(256 * KiB);
      expect(same(await collect(near), data)).toBe(true);
      near.destroy();
      far.destroy();
    });

    it('a pipe through both directions at once loses nothing', async () => {
      const { left, right } = await connect();
      const data = pattern(world.bytes(900 * KiB));
      const far = toDuplex(right);
      const near = toDuplex(left);
      const echo = pipeline(far, new PassThrough(), far);
      const got = collect(near);
      await Promise.all([echo, pipeline(Readable.from(piecesOf(data, 7_777)), near), got]);
      expect(same(await got, data)).toBe(true);
    });

    it('destroySoon() sends what was written, ends, and closes without being asked again', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left);
      const far = toDuplex(right);
      near.write(pattern(world.bytes(100 * KiB)));
      near.destroySoon();
      expect((await collect(far)).length).toBe(world.bytes(100 * KiB));
      far.end();
      await Promise.all([once(near, 'close'), once(far, 'close')]);
      expect(await left.closed).toEqual({ kind: 'clean' });
    });

    it('end() of the bufferevent by somebody else ends the stream, too', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left);
      const far = toDuplex(right).resume();
      far.end('bye');
      const got = collect(near);
      await left.end();
      expect((await got).toString()).toBe('bye');
      await finished(far);
    });

    it('an aborted signal destroys the stream', async () => {
      const { left, right } = await connect();
      const controller = new AbortController();
      const near = toDuplex(left, { signal: controller.signal });
      const outcome = rejection(finished(near));
      controller.abort();
      expect(await outcome).toMatchObject({ name: 'AbortError' });
      expect(left.freed).toBe(true);
      right.free();
    });

    it('FR-1: nothing is emitted after "close", whatever the peer still sends', async () => {
      const { left, right } = await connect();
      const near = toDuplex(left);
      const events: string[] = [];
      near.on('data', () => near.destroy());
      near.on('close', () => {
        for (const name of ['data', 'end', 'error', 'timeout', 'finish', 'close'])
          near.on(name, () => events.push(name));
      });
      right.write('1');
      await once(near, 'close');
      right.write('2');
      right.halfClose();
      await turns(20);
      expect(events).toEqual([]);
      right.free();
    });

    it('B66: a freed bufferevent, and what is none, is refused', async () => {
      const { left, right } = await connect();
      left.free();
      right.free();
      expect(await failure(() => toDuplex(left))).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      expect(await failure(() => toDuplex(null as never))).toBeInstanceOf(TypeError);
      expect(await failure(() => toDuplex(right, { highWaterMark: -1 }))).toBeInstanceOf(RangeError);
      expect(await failure(() => toDuplex(right, { allowHalfOpen: 1 as never }))).toBeInstanceOf(TypeError);
    });
  });
});

describe('a stream over a connection that fails', () => {
  onEveryBackend((world) => {
    it('EV-1: a reset is "error" with the cause of the bufferevent, then "close"', async () => {
      const { bev, peer } = await world.accepted({});
      const stream = toDuplex(bev);
      const events: unknown[] = [];
      stream.on('data', (chunk: Buffer) => events.push(chunk.toString()));
      stream.on('error', (error: NodeJS.ErrnoException) => events.push(error.code));
      stream.on('close', () => events.push('close'));
      peer.send('x');
      await world.until(() => events.length === 1, 'a byte');
      peer.reset();
      await world.until(() => events.length === 3, 'the end');
      expect(events).toEqual(['x', 'ECONNRESET', 'close']);
      expect(await bev.closed).toMatchObject({ kind: 'reset' });
      expect(bev.freed).toBe(true);
    });

    it('EV-1: a connection that had failed before is "error" with its cause', async () => {
      const { bev, peer } = await world.accepted({}, { enable: ['read', 'write'] });
      peer.reset();
      await bev.closed;
      const stream = toDuplex(bev);
      expect(await rejection(finished(stream))).toMatchObject({ code: 'ECONNRESET' });
      expect(bev.freed).toBe(true);
    });

    it('a pipeline into a connection that is reset rejects with the cause', async () => {
      const { bev, peer } = await world.accepted({});
      const endless = new Readable({
        read(size) {
          this.push(Buffer.alloc(size));
        },
      });
      const outcome = rejection(pipeline(endless, toDuplex(bev)));
      await world.until(() => peer.receivedBytes > 0, 'the first bytes');
      peer.reset();
      expect((await outcome).code).toMatch(/^(ECONNRESET|EPIPE)$/);
      expect(endless.destroyed).toBe(true);
    });

    it('disposal of the base closes the stream', async () => {
      const base: EventBase = world.newBase();
      const { bev, peer } = await world.accepted({}, { base });
      const stream = toDuplex(bev).resume();
      await Promise.all([once(stream, 'close'), base[Symbol.asyncDispose]()]);
      expect(stream.errored).toBeNull();
      peer.close();
    });
  });

  inMemory((world) => {
    it('TO-1: the read time-out of the bufferevent destroys the stream with its error', async () => {
      const { bev } = await world.accepted({});
      const stream = toDuplex(bev).resume();
      bev.setTimeouts({ readMs: 100 });
      const outcome = rejection(finished(stream));
      await world.advance(100);
      expect(await outcome).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'read' });
    });

    it('TO-1: a stream that is full is not timed out, however long nobody reads it', async () => {
      const { bev, peer } = await world.accepted({});
      const stream = toDuplex(bev, { highWaterMark: 10 });
      bev.setTimeouts({ readMs: 100 });
      peer.send('0123456789');
      await world.settle();
      await world.advance(1_000);
      expect(stream.destroyed).toBe(false);
      stream.destroy();
    });

    it('B44: setTimeout() emits "timeout" and closes nothing; 0 takes it back', async () => {
      const { bev, peer } = await world.accepted({});
      const stream = toDuplex(bev).resume();
      let timeouts = 0;
      stream.setTimeout(50, () => {
        timeouts += 1;
      });
      expect(stream.timeout).toBe(50);
      await world.advance(49);
      expect(timeouts).toBe(0);
      await world.advance(1);
      expect(timeouts).toBe(1);
      expect(stream.destroyed).toBe(false);
      stream.on('timeout', () => {
        timeouts += 1;
      });
      peer.send('a');
      await world.settle();
      await world.advance(50);
      expect(timeouts).toBe(2);
      stream.setTimeout(0);
      peer.send('a');
      await world.settle();
      await world.advance(1_000);
      expect(timeouts).toBe(2);
      stream.destroy();
      stream.setTimeout(10);
    });

    it('B61: destroySoon() cuts a peer that never ends, when closeMs is over', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setTimeouts({ closeMs: 100 });
      const stream = toDuplex(bev);
      stream.destroySoon();
      await world.until(() => peer.ended, 'our end');
      expect(stream.closed).toBe(false);
      await world.advance(100);
      expect(stream.closed).toBe(true);
      expect(stream.errored).toBeNull();
    });

    it('a write calls back only when more is welcome', async () => {
      const { bev, peer } = await world.accepted({});
      peer.stopReading();
      const stream = toDuplex(bev);
      const done: number[] = [];
      stream.write(new Uint8Array(60 * KiB), () => done.push(1));
      stream.write(new Uint8Array(60 * KiB), () => done.push(2));
      await world.settle();
      expect(done).toEqual([1]);
      expect(stream.writableNeedDrain).toBe(true);
      peer.readOn();
      await world.until(() => done.length === 2, 'the second write');
      stream.destroy();
    });

    it('thousands of chunks that have queued up are written in order, called back once each, and rest at the mark', async () => {
      const { bev, peer } = await world.accepted({});
      peer.stopReading();
      const stream = toDuplex(bev);
      const chunks = Array.from({ length: 20_000 }, (_, index) => Buffer.from(`${index},`));
      const head = pattern(100 * KiB);
      let done = 0;
      stream.write(head);
      for (const chunk of chunks) stream.write(chunk, () => done++);
      await world.settle();
      expect(done).toBe(0);
      expect(bev.output.length).toBeLessThanOrEqual(128 * KiB);
      peer.readOn();
      await world.until(() => done === chunks.length, 'all writes');
      await bev.drained();
      await world.settle();
      expect(same(peer.received, Buffer.concat([head, ...chunks]))).toBe(true);
      stream.destroy();
    });

    it('thousands of corked chunks are written at once; a connection that is gone refuses them with one error', async () => {
      const { bev, peer } = await world.accepted({});
      const stream = toDuplex(bev);
      const corked = (count: number, onDone: (error?: Error | null) => void): void => {
        stream.cork();
        for (let index = 0; index < count; index++) stream.write('x', onDone);
        stream.uncork();
      };
      const outcomes: unknown[] = [];
      corked(20_000, (error) => outcomes.push(error ?? null));
      await world.until(() => outcomes.length === 20_000, 'all writes');
      await world.until(() => peer.received.length === 20_000, 'all bytes');
      expect(stream.bytesWritten).toBe(20_000);
      const errors: Error[] = [];
      stream.on('error', (error) => errors.push(error));
      bev.halfClose();
      corked(20_000, (error) => outcomes.push(error ?? null));
      await new Promise((resolve) => stream.once('close', resolve));
      expect(errors).toMatchObject([{ code: 'ERR_BUFFEREVENT_WRITE_AFTER_END' }]);
      expect(new Set(outcomes.slice(20_000))).toEqual(new Set(errors));
    });

    it('"finish" waits until the system has taken everything', async () => {
      const { bev, peer } = await world.accepted({});
      peer.stopReading();
      const stream = toDuplex(bev);
      let finishes = 0;
      stream.on('finish', () => {
        finishes += 1;
      });
      stream.end(new Uint8Array(60 * KiB));
      await world.settle();
      expect(finishes).toBe(0);
      peer.readOn();
      await world.until(() => finishes === 1, 'finish');
      expect(bev.output.length).toBe(0);
      stream.destroy();
    });
  });
});

describe('what sockets have', () => {
  onEveryBackend((world) => {
    it('addresses are known, also after the end; options and references do what they do on a socket', async () => {
      const { client, server } = await world.pair({}, {});
      const { local, peer } = client.address as {
        local: { ip: string; port: number };
        peer: { ip: string; port: number };
      };
      const stream = toDuplex(client);
      const check = () => {
        expect([stream.remoteAddress, stream.remotePort, stream.remoteFamily]).toEqual([peer.ip, peer.port, 'IPv4']);
        expect([stream.localAddress, stream.localPort, stream.localFamily]).toEqual([local.ip, local.port, 'IPv4']);
        expect(stream.address()).toEqual({ address: local.ip, port: local.port, family: 'IPv4' });
      };
      check();
      expect(stream.setNoDelay().setNoDelay(false).setKeepAlive(true, 1000).setKeepAlive().ref().unref()).toBe(stream);
      expect('encrypted' in stream).toBe(false);
      stream.destroy();
      await once(stream, 'close');
      check();
      expect(stream.setNoDelay().setKeepAlive().ref().unref()).toBe(stream);
      server.free();
    });

    it('EV-5: what is written before there is a connection is sent then, after "connect"', async () => {
      const got: string[] = [];
      const listener = await listen(
        { ip: '127.0.0.1', port: 0 },
        { onConnection: (bev) => void collect(toDuplex(bev)).then((bytes) => got.push(bytes.toString())) },
        { base: world.base },
      );
      const bev = world.keep(new SocketBufferevent(world.base));
      const stream = toDuplex(bev);
      stream.setNoDelay();
      expect([stream.remoteAddress, stream.address()]).toEqual([undefined, {}]);
      const events: string[] = [];
      for (const name of ['connect', 'ready', 'finish']) stream.on(name, () => events.push(name));
      stream.end('early');
      bev.connect(listener.address);
      await world.until(() => got.length === 1, 'the text');
      expect(got).toEqual(['early']);
      await world.until(() => events.length === 3, 'the events');
      expect(events).toEqual(['connect', 'ready', 'finish']);
      stream.destroy();
      await listener.close();
    });

    it('EV-1: a connection that is refused is "error"', async () => {
      const listener = await world.listen({});
      const { address } = listener;
      await listener.close();
      const bev = world.keep(new SocketBufferevent(world.base));
      const stream = toDuplex(bev);
      const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
      const outcome = rejection(pipeline(stream, sink));
      bev.connect(address);
      expect(await outcome).toMatchObject({ code: 'ECONNREFUSED' });
      expect(bev.freed).toBe(true);
    });
  });
});
