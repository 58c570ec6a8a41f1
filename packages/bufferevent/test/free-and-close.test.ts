// free, halfClose, end, closed, await using. B60–B67.
import { type Bufferevent, type BuffereventHandlers, type CloseCause, EventBase, SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { KiB, pattern, same, text } from './support/bytes.js';
import { Collector, count } from './support/recorder.js';
import { failure, isPending, rejection } from './support/wait.js';
import { inMemory, ipOf, onEveryBackend, whereDescriptors } from './support/world.js';

describe('free', () => {
  onEveryBackend((world) => {
    it('FR-2: free is synchronous and idempotent, and gives everything back', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.send('unread');
      await world.until(() => bev.input.length === 6, 'bytes');
      world.log.length = 0;
      expect(bev.freed).toBe(false);
      bev.free();
      bev.free();
      expect(bev.freed).toBe(true);
      expect(await bev.closed).toEqual({ kind: 'freed' });
      await world.until(() => world.base.stats().port.streams === 0, 'the stream to be closed');
      expect(world.base.stats().port.leases).toBe(0);
      await world.until(() => peer.ended || peer.failure !== null, 'the peer to notice');
      expect(world.log).toEqual([]);
    });

    it('FR-1: nothing is delivered after free, whatever still arrives', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      const control = await world.accepted({ onRead() {} });
      peer.send(pattern(5000));
      peer.end();
      bev.free();
      control.peer.send('after');
      await world.until(() => control.bev.input.length === 5, 'a neighbour to be served');
      expect(world.log).toEqual([]);
    });

    it('FR-3: free drops the output that is not sent yet', async () => {
      const { bev, peer } = await world.accepted({});
      bev.disable('write');
      bev.write('never sent');
      bev.free();
      await world.until(() => peer.ended || peer.failure !== null, 'the close');
      expect(peer.receivedBytes).toBe(0);
    });

    it('FR-5: bytes taken out of input before stay valid after free', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      const { Evbuffer } = await import('bufferevent');
      const mine = new Evbuffer();
      peer.send(pattern(300));
      await world.until(() => bev.input.length === 300, 'bytes');
      const taken = bev.input.remove(100);
      bev.input.moveTo(mine, 100);
      bev.free();
      const other = await world.accepted({ onRead() {} });
      const size = world.bytes(3000);
      other.peer.send(pattern(size, 9));
      await world.until(() => other.bev.input.length === size, 'more traffic');
      expect(same(taken, pattern(300).subarray(0, 100))).toBe(true);
      expect(same(mine.remove(100), pattern(300).subarray(100, 200))).toBe(true);
    });

    it('FR-2: a connection freed while it is being made leaves nothing behind', async () => {
      const listener = await world.listen({});
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.connect(ipOf(listener));
      bev.free();
      await listener.close();
      await world.until(() => world.base.stats().port.streams === 0, 'the attempt to be gone');
      expect(world.log).toEqual([]);
      expect(await bev.closed).toEqual({ kind: 'freed' });
    });

    it('FR-2: a connection that takes the place of one just freed hides no completion of it', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const first = await world.connect(listener);
      first.free();
      const second = new SocketBufferevent(world.base, { handlers: world.record('second') });
      world.keep(second).connect(ipOf(listener));
      let gone = false;
      void first.end().then(() => {
        gone = true;
      });
      await world.until(() => gone && world.log.includes('second connected'), 'the end of the first', 2_000);
      second.free();
      await world.until(() => listener.connections === 2, 'both to be accepted');
      expect(world.log).toEqual(['second connected']);
    });

    it('B66: methods of a freed object throw, and its getters answer', async () => {
      const { bev } = await world.accepted({});
      bev.free();
      const freed = expect.objectContaining({ code: 'ERR_BUFFEREVENT_FREED' });
      const calls: Array<(at: SocketBufferevent) => unknown> = [
        (at) => at.write('x'),
        (at) => at.enable('read'),
        (at) => at.disable('read'),
        (at) => at.setHandlers({}),
        (at) => at.setWatermarks('read', { low: 1 }),
        (at) => at.setTimeouts({ readMs: 1 }),
        (at) => at.halfClose(),
        (at) => at.trigger('read'),
        (at) => at.triggerEvent({ kind: 'connected' }),
        (at) => at.connect({ ip: '127.0.0.1', port: 1 }),
        (at) => at.setOption('noDelay', true),
      ];
      for (const call of calls) expect(() => call(bev), String(call)).toThrow(freed);
      for (const pull of [() => bev.read(), () => bev.readLine(), () => bev.drained()]) {
        expect(await failure(pull), String(pull)).toEqual(freed);
      }
      expect(await rejection(bev[Symbol.asyncIterator]().next())).toEqual(freed);
      expect(bev.enabled).toEqual([]);
      expect(bev.handlers).toBeNull();
      expect(bev.input.length).toBe(0);
      expect(bev.output.length).toBe(0);
      expect(bev.base).toBe(world.base);
      expect(await bev.end()).toEqual({ kind: 'freed' });
      await bev[Symbol.asyncDispose]();
    });
  });

  inMemory((world) => {
    it('B66: writing to what was freed is told so, also after end() and halfClose()', async () => {
      const freed = expect.objectContaining({ code: 'ERR_BUFFEREVENT_FREED' });
      const { bev, peer } = await world.accepted({});
      peer.end();
      expect(await bev.end()).toEqual({ kind: 'clean' });
      await world.settle();
      expect(bev.freed).toBe(true);
      expect(() => bev.write('x')).toThrow(freed);
      const { bev: half } = await world.accepted({});
      half.halfClose();
      half.free();
      expect(() => half.write('x')).toThrow(freed);
    });

    it('B67: ref() and unref() of a base that was disposed of do nothing', async () => {
      const base = world.newBase();
      const listener = await world.listen({}, { base });
      const disposal = base[Symbol.asyncDispose]();
      base.unref();
      await disposal;
      for (const owner of [base, listener]) {
        owner.ref();
        owner.unref();
      }
    });
  });

  whereDescriptors((world) => {
    it('FR-4: with closeOnFree false the descriptor survives', async () => {
      const [mine, other] = await world.socketPair();
      const kept = world.keep(new SocketBufferevent(world.base, { descriptor: mine, closeOnFree: false }));
      kept.write('one');
      await kept.drained();
      kept.free();
      await world.until(() => world.base.stats().port.streams === 0, 'the descriptor to be let go of');
      const again = world.keep(new SocketBufferevent(world.base, { descriptor: mine, closeOnFree: true }));
      const peer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      again.write(' two');
      expect(text(await peer.read(7))).toBe('one two');
      expect(again.descriptor).toBe(mine);
      again.free();
      expect(await peer.read()).toBeNull();
      peer.free();
      await world.until(() => world.openDescriptors === 0, 'both descriptors to be closed');
    });
  });
});

describe('free in every handler', () => {
  type Kind = keyof Required<BuffereventHandlers>;
  const acts: Record<string, (bev: Bufferevent) => void> = {
    free: (bev) => bev.free(),
    end: (bev) => void bev.end(),
    disable: (bev) => bev.disable('read', 'write'),
    'setHandlers(null)': (bev) => bev.setHandlers(null),
    halfClose: (bev) => bev.halfClose(),
  };

  onEveryBackend((world) => {
    for (const kind of ['onRead', 'onWrite', 'onEvent'] as const satisfies readonly Kind[]) {
      for (const [name, act] of Object.entries(acts)) {
        it(`CB-1, FR-1: ${name} in ${kind} is safe, also with more queued behind it`, async () => {
          let calls = 0;
          const { client, server } = await world.pair({}, {}, { client: { enable: ['read', 'write'] } });
          client.setHandlers({
            [kind](bev: Bufferevent): void {
              calls += 1;
              if (calls === 1) act(bev);
            },
          });
          client.write('out');
          client.trigger('read', { ignoreWatermarks: true });
          client.trigger('write', { ignoreWatermarks: true });
          client.triggerEvent({ kind: 'connected' });
          client.triggerEvent({ kind: 'timeout', timeout: 'idle', error: new Error('made up') });
          await world.until(() => calls > 0, kind);
          server.free();
          const afterwards = await world.pair({ onRead() {} }, {});
          afterwards.server.write('served');
          await world.until(() => afterwards.client.input.length === 6, 'others to be served');
          if (name === 'free') expect(calls).toBe(1);
          client.free();
        });
      }
    }

    for (const kind of ['onRead', 'onWrite', 'onEvent', 'onConnection'] as const) {
      it(`B11, B67: a base may be disposed of in ${kind}, and nothing is called afterwards`, async () => {
        const base = world.newBase();
        let disposal: Promise<void> | null = null;
        const dispose = (): void => {
          world.log.push(kind);
          disposal = base[Symbol.asyncDispose]();
        };
        if (kind === 'onConnection') {
          const listener = await world.listen({ onConnection: dispose }, { base });
          world.dial(listener);
          world.dial(listener);
        } else {
          const { client, server } = await world.pair({}, {}, { client: { base }, server: { base } });
          client.setHandlers({ [kind]: dispose });
          server.setHandlers({ [kind]: dispose });
          for (const bev of [client, server]) {
            bev.trigger('read');
            bev.trigger('write');
            bev.triggerEvent({ kind: 'connected' });
          }
        }
        await world.until(() => disposal !== null, kind);
        await disposal;
        expect(world.log).toEqual([kind]);
        expect(base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0, leases: 0 });
      });
    }

    it('FR-1: a handler may free the neighbour whose callbacks are due in the same turn', async () => {
      const { client, server } = await world.pair({}, {});
      const seen: string[] = [];
      client.setHandlers({
        onRead() {
          seen.push('client');
          server.free();
        },
      });
      server.setHandlers({
        onRead() {
          seen.push('server');
          client.free();
        },
      });
      client.trigger('read');
      server.trigger('read');
      await world.until(() => seen.length > 0, 'a callback');
      await client.drained().catch(() => {});
      expect(seen).toEqual(['client']);
      client.free();
    });
  });
});

describe('end and closed', () => {
  onEveryBackend((world) => {
    it('B61: end() sends everything, waits for the peer, and is clean on both sides', async () => {
      const size = world.bytes(300 * KiB);
      const collector = new Collector();
      const causes: Promise<CloseCause>[] = [];
      const { client, server } = await world.pair(world.record('client'), {
        onRead: collector.take,
        onEvent: (bev, event) => {
          if (event.kind === 'eof') causes.push(bev.end());
        },
      });
      client.write(pattern(size));
      const cause = await client.end();
      expect(cause).toEqual({ kind: 'clean' });
      expect(await client.closed).toEqual({ kind: 'clean' });
      expect(client.freed).toBe(true);
      expect(same(collector.data, pattern(size))).toBe(true);
      expect(await server.closed).toEqual({ kind: 'clean' });
      expect(await causes[0]).toEqual({ kind: 'clean' });
      expect(world.log.filter((line) => line.includes('error'))).toEqual([]);
    });

    it('B61: bytes that come during end() go to handlers when reading is enabled', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      const ended = bev.end();
      await world.until(() => peer.ended, 'our end');
      peer.send('rest');
      await world.until(() => world.log.some((line) => line.startsWith('server read')), 'the rest');
      peer.end();
      expect(await ended).toEqual({ kind: 'clean' });
      expect(count(world.log, 'server eof')).toBe(1);
    });

    it('B61: and are discarded when it is not', async () => {
      const { bev, peer } = await world.accepted({});
      const ended = bev.end();
      const size = world.bytes(2 * 1024 * KiB);
      peer.send(new Uint8Array(size));
      peer.end();
      expect(await ended).toEqual({ kind: 'clean' });
    });

    it('B61: a second end() gets the same answer, and so does one after a failure', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      const answers = [bev.end(), bev.end()];
      peer.end();
      expect(await Promise.all(answers)).toEqual([{ kind: 'clean' }, { kind: 'clean' }]);
      const broken = await world.accepted({ onRead() {} });
      broken.peer.reset();
      expect((await broken.bev.closed).kind).toBe('reset');
      expect((await broken.bev.end()).kind).toBe('reset');
      expect(broken.bev.freed).toBe(true);
    });

    it('B61: free() during end() ends the waiting', async () => {
      const { bev } = await world.accepted({ onRead() {} });
      const ended = bev.end();
      bev.free();
      expect(await ended).toEqual({ kind: 'freed' });
    });

    it('B61: a peer that resets during end() is the cause', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      const ended = bev.end();
      await world.until(() => peer.ended, 'our end');
      peer.reset();
      expect(await ended).toMatchObject({ kind: 'reset', error: { code: 'ECONNRESET' } });
      expect(bev.freed).toBe(true);
    });

    it('B60: halfClose() ends our side behind the queued output', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      bev.write(pattern(1000));
      bev.halfClose();
      bev.halfClose();
      await world.until(() => peer.ended && bev.writeEnded, 'our end');
      expect(same(peer.received, pattern(1000))).toBe(true);
      peer.send('still reading');
      await world.until(() => bev.input.length === 13, 'the answer');
      expect(bev.readEnded).toBe(false);
      expect(await isPending(bev.closed)).toBe(true);
    });

    it('B65: await using ends the connection cleanly', async () => {
      const collector = new Collector();
      const listener = await world.listen({
        onRead: collector.take,
        onEvent: (bev, event) => void (event.kind === 'eof' && bev.end()),
      });
      let outside: SocketBufferevent;
      {
        await using bev = await world.connect(listener);
        bev.write('scoped');
        outside = bev;
      }
      expect(outside.freed).toBe(true);
      expect(await outside.closed).toEqual({ kind: 'clean' });
      expect(collector.data.toString()).toBe('scoped');
    });

    it('B67: disposing of a base frees its connections and closes its listeners', async () => {
      const base = new EventBase({ backend: world.backend });
      const listener = await world.listen({ onRead() {} }, { base });
      const bev = world.keep(await world.connect(listener, world.record('client'), { base }));
      const line = rejection(bev.readLine());
      await base[Symbol.asyncDispose]();
      expect(bev.freed).toBe(true);
      expect(await line).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      expect(await bev.closed).toEqual({ kind: 'freed' });
      expect(base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0, leases: 0 });
      expect(world.log).toEqual(['client connected']);
    });
  });

  inMemory((world) => {
    it('B61: end() is over after closeMs, whatever the peer does', async () => {
      const { bev } = await world.accepted({ onRead() {} });
      bev.setTimeouts({ closeMs: 100 });
      const ended = bev.end();
      await world.settle();
      await world.advance(99);
      expect(await isPending(ended)).toBe(true);
      await world.advance(1);
      expect(await ended).toMatchObject({
        kind: 'timeout',
        timeout: 'close',
        error: { code: 'ERR_BUFFEREVENT_TIMEOUT' },
      });
      expect(bev.freed).toBe(true);
      expect(world.base.stats().port.streams).toBe(0);
    });

    it('B61: end() of what was never connected is over at once', async () => {
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.write('unsent');
      expect(await bev.end()).toEqual({ kind: 'freed' });
      expect(bev.freed).toBe(true);
      await world.settle();
      expect(world.log).toEqual([]);
    });

    it('B61: end() while connecting sends what is queued first', async () => {
      const collector = new Collector();
      const listener = await world.listen({
        onRead: collector.take,
        onEvent: (bev, event) => void (event.kind === 'eof' && bev.end()),
      });
      const bev = world.keep(new SocketBufferevent(world.base));
      bev.write('all of it');
      bev.connect(ipOf(listener));
      expect(await bev.end()).toEqual({ kind: 'clean' });
      expect(collector.data.toString()).toBe('all of it');
    });

    it('B61: end() of an attempt that is refused has that cause', async () => {
      const bev = world.keep(new SocketBufferevent(world.base));
      bev.connect({ ip: '127.0.0.1', port: 9 });
      expect(await bev.end()).toMatchObject({ kind: 'error', error: { code: 'ECONNREFUSED' } });
      expect(bev.freed).toBe(true);
    });

    it('B64: closed tells the first cause: a reset before free is a reset', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      const { closed } = bev;
      peer.reset();
      await world.settle();
      bev.free();
      expect((await closed).kind).toBe('reset');
      expect((await bev.closed).kind).toBe('reset');
    });

    it('B61: a peer that never reads does not hold end() beyond closeMs', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      peer.stopReading();
      bev.write(pattern(500 * KiB));
      bev.setTimeouts({ closeMs: 100 });
      const ended = bev.end();
      await world.settle();
      await world.advance(100);
      expect(await ended).toMatchObject({ kind: 'timeout', timeout: 'close' });
    });
  });
});
