// toWeb: web streams over any bufferevent.
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { type Bufferevent, BuffereventError } from 'bufferevent';
import { toDuplex } from 'bufferevent/duplex';
import { toWeb } from 'bufferevent/web';
import { describe, expect, it } from 'vitest';
import { KiB, pattern, same, text } from './support/bytes.js';
import { onEveryPair } from './support/pairs.js';
import { failure, isPending, rejection, turn } from './support/wait.js';
import { inMemory, onEveryBackend } from './support/world.js';

interface Web {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<unknown>;
}

/** The streams with the types of Node, which know more than those that every platform shares. */
function web(bev: Bufferevent): Web {
  return toWeb(bev) as unknown as Web;
}

async function collect(readable: ReadableStream<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readable) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function send(writable: WritableStream<unknown>, data: Uint8Array, size: number): Promise<void> {
  const writer = writable.getWriter();
  for (let at = 0; at < data.length; at += size) await writer.write(data.subarray(at, at + size));
  await writer.close();
}

describe('toWeb', () => {
  onEveryPair((world, connect) => {
    it('B60, B61: moves everything both ways at once, and ends the connection when both sides are over', async () => {
      const { left, right } = await connect();
      const data = pattern(world.bytes(600 * KiB));
      const [near, far] = [web(left), web(right)];
      const echo = far.readable.pipeTo(far.writable);
      const [got] = await Promise.all([collect(near.readable), send(near.writable, data, 10_007), echo]);
      expect(same(got, data)).toBe(true);
      expect(await left.closed).toEqual({ kind: 'clean' });
      expect(await right.closed).toEqual({ kind: 'clean' });
      await world.until(() => left.freed && right.freed, 'both to be freed');
    });

    it('a BYOB reader reads into its own memory, and the rest stays for the next read', async () => {
      const { left, right } = await connect();
      const reader = web(left).readable.getReader({ mode: 'byob' });
      const data = pattern(world.bytes(5_000));
      right.write(data);
      right.halfClose();
      let memory = new Uint8Array(64);
      const got: Uint8Array[] = [];
      for (;;) {
        const { done, value } = await reader.read(memory);
        if (done) break;
        expect(value.byteLength).toBeLessThanOrEqual(64);
        got.push(value.slice());
        memory = new Uint8Array(value.buffer);
      }
      expect(same(Buffer.concat(got), data)).toBe(true);
      right.free();
      left.free();
    });

    it('WR-1: takes text, buffers and views; what was written may be used again', async () => {
      const { left, right } = await connect();
      const near = web(left);
      const writer = near.writable.getWriter();
      const bytes = new Uint8Array([3, 4]);
      await writer.write('\u00fc');
      await writer.write(new Uint8Array([1, 2]).buffer);
      await writer.write(bytes);
      bytes.fill(0);
      await writer.write(new DataView(new Uint8Array([9, 5, 6, 9]).buffer, 1, 2));
      // A pair has no room between its ends: closing waits for the reader.
      const [, received] = await Promise.all([writer.close(), collect(web(right).readable)]);
      expect([...received]).toEqual([0xc3, 0xbc, 1, 2, 3, 4, 5, 6]);
      left.free();
      right.free();
    });

    it('what is no bytes makes the writable fail; the readable goes on', async () => {
      const { left, right } = await connect();
      const near = web(left);
      const writer = near.writable.getWriter();
      writer.closed.catch(() => {});
      expect(await rejection(writer.write(17))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
      right.write('still');
      right.halfClose();
      expect((await collect(near.readable)).toString()).toBe('still');
      await world.until(() => left.freed, 'the connection to be freed');
      right.free();
    });

    it('cancel() drops what comes and leaves writing alone; closing then ends the connection', async () => {
      const { left, right } = await connect();
      const near = web(left);
      right.write(pattern(world.bytes(2_000)));
      const reader = near.readable.getReader();
      const waiting = [await reader.read(), reader.read()];
      await reader.cancel('enough');
      expect(await waiting[1]).toEqual({ done: true, value: undefined });
      expect(left.enabled).toEqual(['write']);
      const writer = near.writable.getWriter();
      await writer.write('bye');
      const [, received] = await Promise.all([writer.close(), collect(web(right).readable)]);
      expect(received.toString()).toBe('bye');
      right.halfClose();
      await world.until(() => left.freed, 'the connection to be freed');
      expect(await left.closed).toEqual({ kind: 'clean' });
      right.free();
    });

    it('abort() frees the connection; reads, and the write under way, fail with the reason', async () => {
      const { left, right } = await connect();
      const near = web(left);
      const reader = near.readable.getReader();
      const read = rejection(reader.read());
      const writer = near.writable.getWriter();
      writer.closed.catch(() => {});
      const write = rejection(writer.write(new Uint8Array(2 ** 25)));
      await turn();
      const reason = new Error('enough');
      await writer.abort(reason);
      expect(await read).toBe(reason);
      expect((await write).code).toBe('ERR_BUFFEREVENT_FREED');
      expect(left.freed).toBe(true);
      right.free();
    });

    it('free() makes both streams fail with a typed error', async () => {
      const { left, right } = await connect();
      const near = web(left);
      left.free();
      await left.closed;
      for (const outcome of [near.readable.getReader().read(), near.writable.getWriter().write('x')]) {
        const error = await rejection(outcome);
        expect(error).toBeInstanceOf(BuffereventError);
        expect(error).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      }
      expect(await toWebFails(left)).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      right.free();
    });
  });
});

function toWebFails(bev: unknown): Promise<Error & { code?: string }> {
  return failure(() => toWeb(bev as Bufferevent));
}

describe('web streams over a connection that fails', () => {
  onEveryBackend((world) => {
    it('EV-1: a reset makes reads and writes fail with its error, after the bytes before it', async () => {
      const { bev, peer } = await world.accepted({});
      const { readable, writable } = web(bev);
      const reader = readable.getReader();
      const writer = writable.getWriter();
      writer.closed.catch(() => {});
      peer.send('last');
      let got = '';
      while (got.length < 4) got += text((await reader.read()).value as Uint8Array);
      expect(got).toBe('last');
      const read = rejection(reader.read());
      peer.reset();
      expect(await read).toMatchObject({ code: 'ECONNRESET' });
      expect(await rejection(writer.write('x'))).toMatchObject({ code: 'ECONNRESET' });
      expect(await toWebFails(bev)).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      expect(await bev.closed).toMatchObject({ kind: 'reset' });
    });

    it('a bufferevent that a stream owns is refused, and the first stream goes on', async () => {
      const covered = { name: 'BuffereventError', code: 'ERR_BUFFEREVENT_COVERED' };
      const { bev, peer } = await world.accepted({});
      const { readable } = web(bev);
      expect(await toWebFails(bev)).toMatchObject(covered);
      expect(await failure(() => toDuplex(bev))).toMatchObject(covered);
      peer.send('1');
      const { value } = await readable.getReader().read();
      expect(text(value as Uint8Array)).toBe('1');
      bev.free();
      const other = (await world.accepted({})).bev;
      const duplex = toDuplex(other);
      expect(await failure(() => toDuplex(other))).toMatchObject(covered);
      expect(await toWebFails(other)).toMatchObject(covered);
      duplex.destroy();
    });

    it('what is no bufferevent is refused', async () => {
      expect(await toWebFails(null)).toBeInstanceOf(TypeError);
    });
  });

  inMemory((world) => {
    it('RD-4: reads nothing that nobody asked for, so that the peer feels it', async () => {
      const { bev, peer } = await world.accepted({});
      const { readable } = web(bev);
      peer.send(new Uint8Array(100 * KiB));
      await world.settle();
      expect(bev.input.length).toBe(0);
      expect(peer.unsentBytes).toBeGreaterThan(0);
      await readable.cancel();
      bev.free();
    });

    it('cancel() drops what has come, and gives up the read that waits', async () => {
      const { bev, peer } = await world.accepted({});
      const reader = web(bev).readable.getReader({ mode: 'byob' });
      peer.send('some text');
      expect(text((await reader.read(new Uint8Array(4))).value as Uint8Array)).toBe('some');
      expect(bev.input.length).toBe(5);
      await reader.cancel();
      expect(bev.input.length).toBe(0);
      bev.free();

      const other = await world.accepted({});
      const waiting = web(other.bev).readable.getReader();
      void waiting.read();
      await world.settle();
      await waiting.cancel();
      other.peer.send('more');
      await world.settle();
      expect(other.bev.input.length).toBe(0);
      other.bev.free();
    });

    it('WR-4: a write waits while the peer does not read, and queues no more than the mark and one piece', async () => {
      const { bev, peer } = await world.accepted({});
      peer.stopReading();
      const writer = web(bev).writable.getWriter();
      writer.closed.catch(() => {});
      const written = writer.write(new Uint8Array(1024 * KiB));
      await world.settle();
      expect(await isPending(written)).toBe(true);
      expect(writer.desiredSize).toBe(0);
      expect(bev.output.length).toBeLessThanOrEqual(128 * KiB);
      peer.readOn();
      await written;
      expect(writer.desiredSize).toBe(1);
      bev.free();
    });

    it('close() is done when the system has taken everything', async () => {
      const { bev, peer } = await world.accepted({});
      peer.stopReading();
      const writer = web(bev).writable.getWriter();
      await writer.write(new Uint8Array(60 * KiB));
      const closed = writer.close();
      await world.settle();
      expect(await isPending(closed)).toBe(true);
      peer.readOn();
      await closed;
      expect(bev.output.length).toBe(0);
      bev.free();
    });

    it('TO-4: the read time-out makes the read fail with its error', async () => {
      const { bev } = await world.accepted({});
      bev.setTimeouts({ readMs: 100 });
      const read = rejection(web(bev).readable.getReader().read());
      await world.advance(100);
      expect(await read).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'read' });
      bev.free();
    });

    it('after a write that failed, what the peer still sends can be read', async () => {
      const { bev, peer } = await world.accepted({});
      const { readable, writable } = web(bev);
      const reader = readable.getReader();
      peer.send('answer');
      await world.settle();
      bev.setTimeouts({ writeMs: 50 });
      const writer = writable.getWriter();
      writer.closed.catch(() => {});
      peer.stopReading();
      const write = rejection(writer.write(new Uint8Array(500 * KiB)));
      await world.advance(50);
      expect(await write).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'write' });
      expect(text((await reader.read()).value as Uint8Array)).toBe('answer');
      peer.end();
      expect((await reader.read()).done).toBe(true);
      expect(bev.freed).toBe(true);
    });
  });
});
