// Bytes that nobody has taken yet when the connection ends cleanly, and who waits meanwhile: B61, B68, B70.
import type { Bufferevent, SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { KiB, text } from './support/bytes.js';
import { rejection } from './support/wait.js';
import { inMemory, onEveryBackend, type World } from './support/world.js';

/** A connection that has ended cleanly with these bytes in its input. */
async function endedWith(world: World, data: string): Promise<SocketBufferevent> {
  const { bev, peer } = await world.accepted({});
  const ended = bev.end();
  peer.send(data);
  peer.end();
  expect(await ended).toEqual({ kind: 'clean' });
  expect(bev.input.length).toBe(data.length);
  return bev;
}

describe('unread input after a clean end', () => {
  const pulls: Record<string, (bev: Bufferevent) => Promise<string>> = {
    'read()': async (bev) => text(await bev.read()) ?? 'null',
    'read(n)': async (bev) => text(await bev.read(5)) ?? 'null',
    'readLine()': async (bev) => `${await bev.readLine()}\n`,
    'for await': async (bev) => {
      let got = '';
      for await (const chunk of bev) got += text(chunk);
      return got;
    },
  };

  onEveryBackend((world) => {
    for (const [name, pull] of Object.entries(pulls)) {
      it(`B68, B70: ${name} gets the last bytes of it, and the next pull is told of the end`, async () => {
        const bev = await endedWith(world, '0123\n');
        expect(bev.freed).toBe(false);
        expect(await pull(bev)).toBe('0123\n');
        expect(await bev.read()).toBeNull();
        expect(await bev.read(3)).toBeNull();
        expect(await bev.readLine()).toBeNull();
        await world.until(() => bev.freed, 'the connection to be freed');
        expect(await bev.read()).toBeNull();
      });
    }

    it('CB-1, B68: taking the last bytes frees the connection, but never inside the call that takes them', async () => {
      const bev = await endedWith(world, '01234');
      bev.input.drain(3);
      expect(bev.freed).toBe(false);
      bev.input.drain(2);
      expect(bev.freed).toBe(false);
      bev.setHandlers(null);
      await world.until(() => bev.freed, 'the connection to be freed');
      expect(await bev.read()).toBeNull();
    });

    it('B66, B68: free() before it was taken makes later pulls fail: nothing is cut short in silence', async () => {
      const bev = await endedWith(world, '01234');
      expect(text(await bev.read(2))).toBe('01');
      bev.free();
      for (const pull of [bev.read(), bev.read(3), bev.readLine(), bev[Symbol.asyncIterator]().next()]) {
        expect(await rejection(pull)).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      }
      expect(await bev.closed).toEqual({ kind: 'clean' });
    });
  });

  inMemory((world) => {
    it('B66, B68: what is not taken within closeMs is gone, and later pulls fail', async () => {
      const bev = await endedWith(world, '01234');
      await world.advance(9_999);
      expect(bev.freed).toBe(false);
      expect(bev.input.length).toBe(5);
      await world.advance(1);
      expect(bev.freed).toBe(true);
      for (const pull of [bev.read(), bev.read(3), bev.readLine()]) {
        expect(await rejection(pull)).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      }
    });

    it('B55, B68: taking bytes of it restarts the deadline', async () => {
      const bev = await endedWith(world, '01234');
      await world.advance(9_000);
      expect(text(await bev.read(2))).toBe('01');
      await world.advance(9_000);
      bev.input.drain(1);
      await world.advance(9_999);
      expect(bev.freed).toBe(false);
      expect(text(await bev.read(1))).toBe('3');
      await world.advance(10_000);
      expect(bev.freed).toBe(true);
      expect(await rejection(bev.read())).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
    });
  });
});

describe('who waits during end()', () => {
  inMemory((world) => {
    it('B53, B61: pulls and drained() that still wait at the close time-out reject with it', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setTimeouts({ closeMs: 100 });
      peer.stopReading();
      bev.write(new Uint8Array(100 * KiB));
      const waiting = [bev.read(10), bev.readLine(), bev.read(), bev.drained()].map(rejection);
      const ended = bev.end();
      await world.settle();
      await world.advance(100);
      for (const error of await Promise.all(waiting)) {
        expect(error).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'close' });
      }
      expect(await ended).toMatchObject({ kind: 'timeout', timeout: 'close' });
    });

    it('RD-9, B61: onRead is not called for bytes that come during end() while reading is disabled', async () => {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      const ended = bev.end();
      await world.settle();
      peer.send('rest');
      peer.end();
      expect(await ended).toEqual({ kind: 'clean' });
      await world.settle();
      expect(world.log).toEqual(['server eof']);
      expect(text(await bev.read())).toBe('rest');
    });
  });

  onEveryBackend((world) => {
    it('B61: with reading enabled but nobody to read, bytes beyond the mark are discarded and the end is clean', async () => {
      const { bev, peer } = await world.accepted({}, { enable: ['read', 'write'] });
      if (world.kind === 'memory with faults') bev.setWatermarks('read', { high: 100 });
      const ended = bev.end();
      peer.send(new Uint8Array(world.bytes(2 * 1024 * KiB)));
      peer.end();
      expect(await ended).toEqual({ kind: 'clean' });
      expect(await rejection(bev.read())).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
    });
  });
});
