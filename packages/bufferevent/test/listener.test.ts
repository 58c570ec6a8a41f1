// Listening and accepting: B80–B87.
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, connect, type Listener, type ListenHandlers, listen, type SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { text } from './support/bytes.js';
import { NetPeer, type Peer } from './support/peer.js';
import { Program } from './support/program.js';
import { Collector } from './support/recorder.js';
import { importOfBackend, sockets } from './support/system-backends.js';
import { failure, rejection } from './support/wait.js';
import { inMemory, inWorlds, ipOf, onEveryBackend } from './support/world.js';

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((address) => address?.address === '::1');

describe('accepting', () => {
  onEveryBackend((world) => {
    it('LI-1: every connection is announced, before its other handlers, with the handlers of the listener', async () => {
      const listener = await world.listen({
        ...world.record('server'),
        onConnection(bev, from) {
          world.keep(bev);
          expect(from).toBe(listener);
          world.log.push('connection');
        },
      });
      const peers = [world.dial(listener), world.dial(listener), world.dial(listener)];
      for (const peer of peers) peer.send('hello');
      await world.until(() => world.log.filter((line) => line === 'server read 5').length === 3, 'three hellos');
      expect(world.log[0]).toBe('connection');
      expect(world.log.filter((line) => line === 'connection')).toHaveLength(3);
      expect(world.log).not.toContain('server connected');
      expect(listener.connections).toBe(3);
      for (const peer of peers) peer.end();
      await world.until(() => world.log.filter((line) => line === 'server eof').length === 3, 'three ends');
    });

    it('LI-1: two listeners on port 0 have different ports and each its own connections', async () => {
      const seen: string[] = [];
      const noting = (name: string): ListenHandlers => ({
        onConnection(bev) {
          seen.push(name);
          bev.free();
        },
      });
      const one = await world.listen(noting('one'));
      const two = await world.listen(noting('two'));
      expect(ipOf(one).ip).toBe('127.0.0.1');
      expect(ipOf(one).port).toBeGreaterThan(0);
      expect(ipOf(one).port).not.toBe(ipOf(two).port);
      for (const listener of [one, one, two]) world.dial(listener);
      await world.until(() => seen.length === 3, 'three connections');
      expect(seen.sort()).toEqual(['one', 'one', 'two']);
      await world.until(() => one.connections + two.connections === 0, 'no connection left');
    });

    it('LI-2: disabling in onConnection stops at once; the others are accepted after enabling', async () => {
      let accepted = 0;
      const listener = await world.listen({
        onConnection(bev, from) {
          world.keep(bev);
          accepted += 1;
          if (accepted === 1) from.disable();
        },
      });
      expect(listener.enabled).toBe(true);
      const peers: Peer[] = [world.dial(listener), world.dial(listener), world.dial(listener)];
      await world.until(() => accepted === 1, 'the first connection');
      await world.until(() => peers.every((peer) => peer.connected), 'the backlog to take the others');
      if (world.isMemory) await world.settle();
      expect(accepted).toBe(1);
      expect(listener.enabled).toBe(false);
      listener.enable();
      await world.until(() => accepted === 3, 'the other connections');
    });

    it('LI-2: closing in onConnection stops at once, and the connections that stand go on', async () => {
      const accepted: SocketBufferevent[] = [];
      let closed: Promise<void> | null = null;
      const listener = await world.listen({
        onConnection(bev, from) {
          accepted.push(world.keep(bev));
          closed = from.close();
        },
        onRead() {},
      });
      const first = world.dial(listener);
      const second = world.dial(listener);
      await world.until(() => closed !== null, 'the close');
      await closed;
      expect(accepted).toHaveLength(1);
      expect(world.base.stats().port.listeners).toBe(0);
      first.send('still');
      second.send('still');
      await world.until(() => accepted[0]?.input.length === 5, 'bytes');
    });

    it('LI-6, B84: without handlers a listener pauses; handlers resume it', async () => {
      const listener = await world.listen({ onConnection: () => void world.log.push('first') });
      listener.setHandlers(null);
      const peer = world.dial(listener);
      await world.until(() => peer.connected, 'the backlog to take the connection');
      if (world.isMemory) await world.settle();
      expect(world.log).toEqual([]);
      listener.setHandlers({ onConnection: () => void world.log.push('second') });
      await world.until(() => world.log.length === 1, 'the connection');
      expect(world.log).toEqual(['second']);
    });

    it('LI-2: a listener may start disabled', async () => {
      const listener = await world.listen({ onConnection: () => void world.log.push('accepted') }, { disabled: true });
      expect(listener.enabled).toBe(false);
      const peer = world.dial(listener);
      await world.until(() => peer.connected, 'the backlog to take the connection');
      if (world.isMemory) await world.settle();
      expect(world.log).toEqual([]);
      listener.enable();
      await world.until(() => world.log.length === 1, 'the connection');
    });

    it('LI-7: a port in use is the error of the system, with code, syscall, address and port', async () => {
      const listener = await world.listen({});
      const { ip, port } = ipOf(listener);
      const error = await rejection(listen({ ip, port }, {}, { base: world.base }));
      expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: ip, port });
      await world.until(() => world.base.stats().port.listeners === 1, 'the failed listener to be gone');
      await listener.close();
      const again = await listen({ ip, port }, {}, { base: world.base });
      expect(ipOf(again).port).toBe(port);
    });

    it('LI-7: an address that is not ours is refused by the system', async () => {
      const error = await rejection(listen({ ip: '203.0.113.7', port: 0 }, {}, { base: world.base }));
      expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'listen', address: '203.0.113.7' });
      await world.until(() => world.base.stats().port.listeners === 0, 'the failed listener to be gone');
    });

    it('B87: close() is idempotent and leaves the connections', async () => {
      const { client, server } = await world.pair({ onRead() {} }, { onRead() {} });
      const listener = await world.listen({});
      await Promise.all([listener.close(), listener.close()]);
      await listener[Symbol.asyncDispose]();
      client.write('still');
      await world.until(() => server.input.length === 5, 'bytes');
      server.free();
      await world.until(() => client.readEnded, 'the end');
    });

    it('B86: maxConnections pauses accepting, and a free place is filled from the backlog', async () => {
      const open: SocketBufferevent[] = [];
      const listener = await world.listen(
        { onConnection: (bev) => void open.push(world.keep(bev)) },
        { maxConnections: 2 },
      );
      const peers = [world.dial(listener), world.dial(listener), world.dial(listener)];
      await world.until(() => open.length === 2, 'two connections');
      if (world.isMemory) await world.settle();
      expect(open).toHaveLength(2);
      expect(listener.connections).toBe(2);
      open[0]?.free();
      await world.until(() => open.length === 3, 'the third connection');
      expect(peers.every((peer) => peer.failure === null)).toBe(true);
    });

    it('B80: an accepted connection reads at once iff the handlers have an onRead', async () => {
      const { bev: silent } = await world.accepted({ onEvent() {} });
      const { bev: reading } = await world.accepted({ onRead() {} });
      const { bev: asked } = await world.accepted({ onEvent() {} }, { enable: ['read', 'write'] });
      expect(silent.enabled).toEqual(['write']);
      expect([...reading.enabled].sort()).toEqual(['read', 'write']);
      expect([...asked.enabled].sort()).toEqual(['read', 'write']);
    });

    it('LI-1: a signal closes the listener', async () => {
      const controller = new AbortController();
      const listener = await world.listen({}, { signal: controller.signal });
      controller.abort();
      await world.until(() => world.base.stats().port.listeners === 0, 'the listener to be closed');
      await listener.close();
      const reason = new Error('too late');
      expect(await rejection(world.listen({}, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    });
  });
});

describe('running out of descriptors', () => {
  it.skipIf(!sockets.includes('epoll'))(
    'LI-3: over epoll, it is one error, and accepting goes on by itself',
    async () => {
      const program = new Program(
        `
      import { closeSync, openSync } from 'node:fs';
      import { EventBase, listen } from 'bufferevent';
      ${importOfBackend('epoll')}
      let accepted = 0;
      const listener = await listen({ ip: '127.0.0.1', port: 0 }, {
        onConnection: () => void (++accepted === 2 && process.send(listener.stats())),
        onListenerError: ({ code, syscall }) => {
          process.send({ code, syscall });
          for (const descriptor of taken.splice(0)) closeSync(descriptor);
        },
      }, { base: new EventBase({ backend }) });
      const taken = [];
      try {
        for (;;) taken.push(openSync('/dev/null'));
      } catch {}
      process.send(listener.address);
      `,
        { ipc: true },
      );
      const peers: NetPeer[] = [];
      try {
        const address = await program.hear<Address>();
        peers.push(new NetPeer(address), new NetPeer(address));
        expect(await program.hear()).toEqual({ code: 'EMFILE', syscall: 'accept' });
        expect(await program.hear()).toEqual({ accepted: 2, dropped: 0, connections: 2, errors: 1 });
      } finally {
        for (const peer of peers) await peer.dispose();
        await program.kill();
      }
    },
  );

  inMemory((world) => {
    it('LI-3: EMFILE is one error per episode; accepting pauses and resumes by itself', async () => {
      const errors: Array<Error & { code?: string }> = [];
      const accepted: SocketBufferevent[] = [];
      const listener = await world.listen({
        onConnection: (bev) => void accepted.push(world.keep(bev)),
        onListenerError: (error) => void errors.push(error),
      });
      const peers = [world.dial(listener), world.dial(listener), world.dial(listener)];
      // Three descriptors for the peers, one for the listener, one for the first connection.
      world.network.descriptorLimit = 5;
      await world.settle();
      await world.advance(10_000);
      expect(accepted).toHaveLength(1);
      expect(errors.map(({ code }) => code)).toEqual(['EMFILE']);
      expect(errors[0]).toMatchObject({ syscall: 'accept' });
      world.network.descriptorLimit = Number.POSITIVE_INFINITY;
      await world.advance(10_000);
      expect(accepted).toHaveLength(3);
      expect(errors).toHaveLength(1);
      expect(peers.every((peer) => peer.connected)).toBe(true);
    });

    it('LI-3: without a handler for it running out is survived in silence', async () => {
      const accepted: SocketBufferevent[] = [];
      const listener = await world.listen({ onConnection: (bev) => void accepted.push(world.keep(bev)) });
      world.dial(listener);
      world.network.descriptorLimit = 2;
      await world.settle();
      expect(accepted).toHaveLength(0);
      world.network.descriptorLimit = Number.POSITIVE_INFINITY;
      await world.advance(10_000);
      expect(accepted).toHaveLength(1);
    });

    for (const act of ['disable', 'close'] as const) {
      it(`LI-4: the error handler may ${act} the listener`, async () => {
        let errors = 0;
        const listener: Listener = await world.listen({
          onConnection: () => void world.log.push('accepted'),
          onListenerError(_, from) {
            errors += 1;
            void from[act]();
          },
        });
        world.dial(listener);
        world.network.descriptorLimit = 2;
        await world.settle();
        world.network.descriptorLimit = Number.POSITIVE_INFINITY;
        await world.advance(10_000);
        expect(errors).toBe(1);
        expect(world.log).toEqual([]);
      });
    }
  });
});

describe('where to listen', () => {
  onEveryBackend((world) => {
    it('LI-5: a backlog below 1 is refused and nothing listens', async () => {
      for (const backlog of [0, -1, 1.5, Number.NaN]) {
        const error = await failure(() => world.listen({}, { backlog }));
        expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      }
      expect(world.base.stats().port.listeners).toBe(0);
      const listener = await world.listen({ onConnection: () => void world.log.push('accepted') }, { backlog: 1 });
      world.dial(listener);
      await world.until(() => world.log.length === 1, 'a connection');
    });

    it('LI-7: a name is looked up before listening', async () => {
      const listener = await listen(
        { host: 'localhost', port: 0 },
        { onConnection: () => void world.log.push('accepted') },
        { base: world.base },
      );
      expect(['127.0.0.1', '::1']).toContain(ipOf(listener).ip);
      world.dial(listener);
      await world.until(() => world.log.length === 1, 'a connection');
    });
  });

  inWorlds(['memory', ...sockets], (world) => {
    it('B13, LI-7: an address that is none is a mistake of the call, not a rejection', async () => {
      for (const target of [
        { ip: 'bogus', port: 1 },
        { ip: '127.0.0.1', port: -1 },
      ]) {
        const mistake = expect.objectContaining({ code: expect.stringMatching(/^ERR_(INVALID_ARG|OUT_OF_RANGE)/) });
        expect(() => void listen(target, {}, { base: world.base })).toThrow(mistake);
      }
      expect(world.base.stats().port).toMatchObject({ listeners: 0, pending: 0 });
    });

    it.skipIf(!world.isMemory && !hasIpv6)('LI-7: a host may be an IPv6 address in brackets', async () => {
      const listener = await listen(
        { host: '[::1]', port: 0 },
        { onConnection: () => void world.log.push('accepted') },
        { base: world.base },
      );
      expect(ipOf(listener).ip).toBe('::1');
      const { port } = ipOf(listener);
      const bev = world.keep(await connect({ host: '[::1]', port }, {}, { base: world.base }));
      await world.until(() => world.log.length === 1, 'a connection');
      expect(bev.address.peer).toEqual({ ip: '::1', port });
    });

    it('LI-1: a Unix-domain path carries connections', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'bev-'));
      const path = world.isMemory ? '\0bufferevent-test' : join(folder, 'socket');
      const collector = new Collector();
      const listener = await listen({ path }, { onRead: collector.take }, { base: world.base });
      expect(listener.address).toEqual({ path });
      const client = world.keep(await connect({ path }, {}, { base: world.base }));
      client.write('by path');
      await world.until(() => collector.bytes === 7, 'bytes');
      expect(text(collector.data)).toBe('by path');
      client.free();
      await listener.close();
      rmSync(folder, { recursive: true, force: true });
    });
  });
});
