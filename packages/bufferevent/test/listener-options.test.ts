// What a listener may be told beside its address: B83, B86, B88, B89, and cases of libevent's suite about listeners.
import { networkInterfaces } from 'node:os';
import { inspect } from 'node:util';
import {
  type Address,
  connect,
  type Listener,
  type ListenHandlers,
  type ListenOptions,
  listen,
  type SocketBufferevent,
} from 'bufferevent';
import { Operation } from 'bufferevent-backend';
import { createMemoryBackend, withFaults } from 'bufferevent-backend/memory';
import { netBackend } from 'bufferevent-net';
import { describe, expect, it } from 'vitest';
import { text } from './support/bytes.js';
import { noteOptions } from './support/options.js';
import { sockets } from './support/system-backends.js';
import { failure, rejection, turns } from './support/wait.js';
import { inBothMemories, inMemory, inWorlds, ipOf, onEveryBackend, type World } from './support/world.js';

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((address) => address?.address === '::1');

/** Handlers that keep what they accept, and a list of it. */
function keeper(world: World, then: ListenHandlers = {}) {
  const accepted: SocketBufferevent[] = [];
  const handlers: ListenHandlers = {
    ...then,
    onConnection(bev, listener) {
      accepted.push(world.keep(bev));
      then.onConnection?.(bev, listener);
    },
  };
  return { accepted, handlers };
}

describe('overflow', () => {
  onEveryBackend((world) => {
    it('B86: drop closes the connections above the limit at once, and tells', async () => {
      const dropped: Array<Address | null> = [];
      const { accepted, handlers } = keeper(world, {
        onDrop(peer, from) {
          expect(from).toBe(listener);
          dropped.push(peer);
        },
      });
      const listener: Listener = await world.listen(handlers, { maxConnections: 2, overflow: 'drop' });
      const first = [world.dial(listener), world.dial(listener)];
      await world.until(() => accepted.length === 2, 'two connections');
      const surplus = [world.dial(listener), world.dial(listener), world.dial(listener)];
      await world.until(() => dropped.length === 3, 'three to be dropped');
      await world.until(() => surplus.every((peer) => peer.ended || peer.failure !== null), 'the peers to notice');
      expect(dropped.every((peer) => peer !== null && 'ip' in peer && peer.ip === '127.0.0.1')).toBe(true);
      expect(new Set(dropped.map((peer) => (peer as { port: number }).port)).size).toBe(3);
      expect(listener.stats()).toEqual({ accepted: 2, dropped: 3, connections: 2, errors: 0 });
      expect(first.some((peer) => peer.ended || peer.failure !== null)).toBe(false);
      accepted[0]?.free();
      await world.until(() => listener.connections === 1, 'a free place');
      world.dial(listener);
      await world.until(() => accepted.length === 3, 'the next connection');
      expect(listener.stats()).toEqual({ accepted: 3, dropped: 3, connections: 2, errors: 0 });
    });

    it('B86: without onDrop connections are dropped and counted all the same', async () => {
      const { accepted, handlers } = keeper(world);
      const listener = await world.listen(handlers, { maxConnections: 1, overflow: 'drop' });
      const peers = [world.dial(listener), world.dial(listener)];
      await world.until(
        () => peers.filter((peer) => peer.ended || peer.failure !== null).length === 1,
        'one to be dropped',
      );
      expect(accepted).toHaveLength(1);
      expect(listener.stats()).toMatchObject({ accepted: 1, dropped: 1 });
    });

    it('B86, B84: while the listener is disabled or has no handlers nothing is dropped', async () => {
      for (const [pause, resume] of [
        ['disable', 'enable'],
        ['take the handlers', 'give them back'],
      ] as const) {
        const { accepted, handlers } = keeper(world);
        const listener = await world.listen(handlers, { maxConnections: 1, overflow: 'drop' });
        if (pause === 'disable') listener.disable();
        else listener.setHandlers(null);
        const peers = [world.dial(listener), world.dial(listener)];
        await world.until(() => peers.every((peer) => peer.connected), 'the backlog to take them');
        if (world.isMemory) await world.settle();
        expect(listener.stats(), pause).toEqual({ accepted: 0, dropped: 0, connections: 0, errors: 0 });
        if (resume === 'enable') listener.enable();
        else listener.setHandlers(handlers);
        await world.until(() => listener.stats().dropped === 1, 'the second to be dropped');
        expect(accepted).toHaveLength(1);
        await listener.close();
      }
    });
  });

  inMemory(
    (world) => {
      it('B86, CB-7: drops are told within the budget of a turn, and a flood of them waits in the backlog', async () => {
        let told = 0;
        const perTurn: number[] = [0];
        const { accepted, handlers } = keeper(world, {
          onDrop() {
            told += 1;
            perTurn[perTurn.length - 1]! += 1;
          },
        });
        const listener = await world.listen(handlers, { maxConnections: 1, overflow: 'drop', disabled: true });
        const many = 1000;
        for (let index = 0; index <= many; index++) world.dial(listener);
        await world.settle();
        listener.enable();
        let most = 0;
        for (let turn = 0; told < many && turn < 1000; turn++) {
          await turns(1);
          perTurn.push(0);
          most = Math.max(most, listener.stats().dropped - told);
        }
        expect(told).toBe(many);
        expect(accepted).toHaveLength(1);
        // A turn of the loop holds two of the base here: for completions, and for callbacks left over.
        expect(Math.max(...perTurn)).toBeLessThanOrEqual(16);
        expect(most).toBeLessThanOrEqual(512);
        expect(listener.stats()).toMatchObject({ accepted: 1, dropped: many });
      });
    },
    { callbacksPerTurn: 8 },
  );

  inBothMemories((world) => {
    it('B86: onDrop may close the listener or free a connection', async () => {
      const { accepted, handlers } = keeper(world, {
        onDrop(_, listener) {
          accepted[0]?.free();
          void listener.close();
        },
      });
      const listener = await world.listen(handlers, { maxConnections: 1, overflow: 'drop' });
      for (let index = 0; index < 5; index++) world.dial(listener);
      await world.until(() => world.base.stats().port.listeners === 0, 'the listener to be closed');
      await world.until(() => world.base.stats().port.streams === 0, 'every connection to be closed');
      expect(accepted).toHaveLength(1);
      expect(inspect(listener)).toContain("state: 'closed'");
    });

    it('B67, B86: disposing of the base while connections are dropped surfaces nothing', async () => {
      for (let after = 0; after < 8; after++) {
        const base = world.newBase();
        const { handlers } = keeper(world, { onDrop: () => {} });
        const listener = await world.listen(handlers, { base, maxConnections: 1, overflow: 'drop' });
        for (let index = 0; index < 6; index++) world.dial(listener);
        await turns(after);
        await base[Symbol.asyncDispose]();
        expect(base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0 });
      }
    });
  });
});

describe('stats and inspect', () => {
  inMemory((world) => {
    it('B88: stats() counts failures to accept, once per episode', async () => {
      const error = { operation: Operation.accept, nth: 1, error: 'EMFILE' } as const;
      const base = world.newBase({ backend: withFaults(world.plain, { errors: [error] }) });
      const listener = await world.listen({}, { base });
      await world.settle();
      expect(listener.stats()).toEqual({ accepted: 0, dropped: 0, connections: 0, errors: 1 });
      world.dial(listener);
      await world.settle();
      expect(listener.stats()).toEqual({ accepted: 1, dropped: 0, connections: 1, errors: 1 });
      expect(listener.connections).toBe(1);
    });

    it('B88: inspect() shows where it listens, what it does and its counts, in every state', async () => {
      const { accepted, handlers } = keeper(world);
      const listening = listen({ ip: '127.0.0.1', port: 4000 }, handlers, { base: world.base, maxConnections: 1 });
      const listener = await listening;
      const shown = () => inspect(listener, { breakLength: Infinity });
      expect(shown()).toBe(
        "Listener { address: { ip: '127.0.0.1', port: 4000 }, state: 'accepting', accepted: 0, dropped: 0, connections: 0, errors: 0 }",
      );
      world.dial(listener);
      await world.settle();
      expect(shown()).toContain("state: 'paused', accepted: 1, dropped: 0, connections: 1");
      accepted[0]?.free();
      await world.settle();
      expect(shown()).toContain("state: 'accepting', accepted: 1, dropped: 0, connections: 0");
      listener.disable();
      expect(shown()).toContain("state: 'disabled'");
      listener.enable();
      listener.setHandlers(null);
      expect(shown()).toContain("state: 'paused'");
      await listener.close();
      expect(shown()).toContain("{ address: { ip: '127.0.0.1', port: 4000 }, state: 'closed'");
      expect(inspect([[[listener]]], { depth: 0 })).not.toContain('Listener');
    });
  });
});

describe('options of the port', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('B89: what the backend can’t do is refused at the call, with a name and with an address', async () => {
      const { supports } = world.backend;
      const options: Array<[boolean, ListenOptions]> = [
        [supports.reusePort, { reusePort: true }],
        [supports.deferAccept, { deferAccept: true }],
      ];
      for (const [supported, given] of options) {
        if (supported) continue;
        for (const target of [
          { ip: '127.0.0.1', port: 0 },
          { host: 'localhost', port: 0 },
        ]) {
          const refusal = expect.objectContaining({ code: 'ERR_BUFFEREVENT_UNSUPPORTED' });
          expect(() => void listen(target, {}, { base: world.base, ...given }), JSON.stringify(given)).toThrow(refusal);
        }
      }
      expect(supports.deferAccept).toBe(world.kind === 'epoll');
      expect(world.base.stats().port).toMatchObject({ listeners: 0, pending: 0 });
    });

    it.skipIf(!world.isMemory && !hasIpv6)('B89: ipv6Only leaves IPv4 to others', async () => {
      const both = await listen({ ip: '::', port: 0 }, keeper(world).handlers, { base: world.base });
      const ipv4 = { ip: '127.0.0.1', port: ipOf(both).port };
      world.keep(await connect(ipv4, {}, { base: world.base })).free();
      const taken = await rejection(listen(ipv4, {}, { base: world.base }));
      expect(taken).toMatchObject({ code: 'EADDRINUSE' });
      await both.close();
      const only = await listen({ ip: '::', port: 0 }, {}, { base: world.base, ipv6Only: true });
      const { port } = ipOf(only);
      const refused = await rejection(connect({ ip: '127.0.0.1', port }, {}, { base: world.base }));
      expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
      const other = await listen({ ip: '127.0.0.1', port }, {}, { base: world.base });
      expect(ipOf(other).port).toBe(port);
      world.keep(await connect({ ip: '::1', port }, {}, { base: world.base })).free();
    });

    it.skipIf(!world.isMemory && !netBackend.supports.reusePort)(
      'B89: with reusePort two listeners share a port',
      async () => {
        const one = await world.listen(keeper(world).handlers, { reusePort: true });
        const two = await listen(ipOf(one), keeper(world).handlers, { base: world.base, reusePort: true });
        expect(two.address).toEqual(one.address);
        for (let index = 0; index < 8; index++) world.dial(one);
        await world.until(() => one.connections + two.connections === 8, 'all connections');
        expect(await rejection(listen(ipOf(one), {}, { base: world.base }))).toMatchObject({ code: 'EADDRINUSE' });
      },
    );

    it.skipIf(world.kind !== 'epoll')('B89: with deferAccept a connection waits for its first bytes', async () => {
      const { accepted, handlers } = keeper(world);
      const listener = await world.listen(handlers, { deferAccept: true });
      const [silent, talkative] = [world.dial(listener), world.dial(listener)];
      await world.until(() => silent.connected && talkative.connected, 'the backlog to take them');
      talkative.send('first');
      await world.until(() => accepted.length === 1, 'the one that has sent something');
      expect(text(await accepted[0]!.read(5))).toBe('first');
      silent.send('second');
      await world.until(() => accepted.length === 2, 'the other');
      expect(text(await accepted[1]!.read(6))).toBe('second');
    });

    it('B48: stream options are set on each connection before it is handed out', async () => {
      const noted = noteOptions(world.backend);
      const base = world.newBase({ backend: noted.backend });
      const { handlers, accepted } = keeper(world, { onConnection: () => void noted.log.push('connection') });
      const listener = await listen({ ip: '127.0.0.1', port: 0 }, handlers, { base, noDelay: true, keepAlive: 60_000 });
      world.dial(listener);
      world.dial(listener);
      await world.until(() => accepted.length === 2, 'two connections');
      const once = ['noDelay true 0', 'keepAlive 60000 0', 'connection'];
      expect(noted.log).toEqual(['listen {}', ...once, ...once]);
    });
  });

  inMemory((world) => {
    it('B89: each option reaches a backend that can do it', async () => {
      const noted = noteOptions(world.backend, { deferAccept: true });
      const base = world.newBase({ backend: noted.backend });
      const options = { backlog: 3, ipv6Only: true, reusePort: true, deferAccept: true } as const;
      await listen({ ip: '::1', port: 0 }, {}, { base, ...options, maxConnections: 5, overflow: 'drop' });
      expect(noted.log).toEqual([`listen ${JSON.stringify(options)}`]);
    });

    it('LI-5, B83: as many connections as the backlog holds wait while the listener is disabled', async () => {
      const listener = await world.listen(keeper(world).handlers, { backlog: 2, disabled: true });
      const peers = [world.dial(listener), world.dial(listener), world.dial(listener)];
      await world.settle();
      expect(peers.map((peer) => peer.connected)).toEqual([true, true, false]);
      listener.enable();
      await world.settle();
      expect(peers.map((peer) => peer.connected)).toEqual([true, true, true]);
    });

    it('B13, B89: options that are none, or that such a target can’t have, are mistakes', async () => {
      const ip = { ip: '127.0.0.1', port: 0 };
      const host = { host: 'localhost', port: 0 };
      const path = { path: '/somewhere' };
      const cases: Array<[string, Address | typeof host, Record<string, unknown>]> = [
        ['TypeError', ip, { overflow: 'refuse' }],
        ['TypeError', ip, { disabled: 1 }],
        ['TypeError', ip, { ipv6Only: 'yes' }],
        ['TypeError', ip, { reusePort: 1 }],
        ['TypeError', host, { deferAccept: 1 }],
        ['TypeError', path, { unlinkStale: 1 }],
        ['TypeError', ip, { mode: '600' }],
        ['RangeError', path, { mode: 0o1000 }],
        ['RangeError', path, { mode: -1 }],
        ['RangeError', ip, { mode: 0o600 }],
        ['RangeError', host, { mode: 0o600 }],
        ['RangeError', { path: '\0abstract' }, { mode: 0o600 }],
        ['RangeError', path, { reusePort: true }],
        ['RangeError', path, { deferAccept: true }],
        ['RangeError', ip, { backlog: 2 ** 31 }],
        ['TypeError', ip, { onDrop: 1 }],
      ];
      for (const [name, target, options] of cases) {
        const { onDrop, ...given } = options;
        const handlers = (onDrop === undefined ? {} : { onDrop }) as ListenHandlers;
        const error = await failure(() => listen(target, handlers, { base: world.base, ...given }));
        expect(error, JSON.stringify(options)).toMatchObject({ name, code: expect.stringMatching(/^ERR_/) });
      }
      expect(world.base.stats().port).toMatchObject({ listeners: 0, pending: 0 });
    });

    it('B89: permission bits are refused where paths are no files, unlinkStale finds nothing to do', async () => {
      const unsupported = expect.objectContaining({ code: 'ERR_BUFFEREVENT_UNSUPPORTED' });
      const path = { path: '/somewhere' };
      expect(() => void listen(path, {}, { base: world.base, mode: 0o600 })).toThrow(unsupported);
      const listener = await listen(path, {}, { base: world.base, unlinkStale: true });
      expect(listener.address).toEqual(path);
      const taken = await rejection(listen(path, {}, { base: world.base, unlinkStale: true }));
      expect(taken).toMatchObject({ code: 'EADDRINUSE', address: '/somewhere' });
      const base = world.newBase({ backend: createMemoryBackend(world.network, { supports: { paths: false } }) });
      expect(await failure(() => listen(path, {}, { base }))).toMatchObject({ code: 'ERR_BACKEND_UNSUPPORTED' });
    });
  });
});

// There are no threads and no locks here: the threaded flavours of a case are the case itself, and "another thread
// disables the listener" is other code of the same turn.
describe('cases of libevent’s suite', () => {
  onEveryBackend((world) => {
    it('LI-1: two listeners on random ports, each disabled after its share of connections (regress E1, E2)', async () => {
      const wanted = new Map<Listener, number>();
      const handlers: ListenHandlers = {
        onConnection(bev, listener) {
          const left = (wanted.get(listener) as number) - 1;
          wanted.set(listener, left);
          bev.free();
          if (left === 0) listener.disable();
        },
      };
      const one = await world.listen(handlers);
      const two = await world.listen(handlers);
      wanted.set(one, 2).set(two, 1);
      for (const listener of [one, two]) {
        expect(listener.base).toBe(world.base);
        expect(ipOf(listener).ip).toBe('127.0.0.1');
        expect(ipOf(listener).port).toBeGreaterThan(0);
      }
      expect(ipOf(one).port).not.toBe(ipOf(two).port);
      for (const listener of [one, one, two]) world.dial(listener);
      await world.until(() => !one.enabled && !two.enabled, 'both to be disabled');
      expect([...wanted.values()]).toEqual([0, 0]);
      await world.until(() => one.connections + two.connections === 0, 'no connection left');
    });

    it('LI-2: freeing connection and listener in the callback touches nothing else (regress E6)', async () => {
      const other = await world.pair({}, { onRead() {} });
      let left = 2;
      const listener = await world.listen({
        onConnection(bev, from) {
          bev.free();
          left -= 1;
          if (left === 0) void from.close();
        },
      });
      for (let index = 0; index < 4; index++) world.dial(listener);
      await world.until(() => world.base.stats().port.listeners === 0, 'the listener to be closed');
      await listener.close();
      expect(left).toBe(0);
      other.client.write('unharmed');
      await world.until(() => other.server.input.length === 8, 'bytes of a connection beside it');
    });

    it('LI-2: disabling and enabling in each callback accepts everything, one by one (regress E7)', async () => {
      let accepted = 0;
      const listener = await world.listen({
        onConnection(bev, from) {
          world.keep(bev);
          accepted += 1;
          from.disable();
        },
      });
      for (let index = 0; index < 4; index++) world.dial(listener);
      for (let due = 1; due <= 4; due++) {
        await world.until(() => accepted === due, `connection ${due}`);
        if (world.isMemory) await world.settle();
        expect(accepted).toBe(due);
        listener.enable();
      }
    });
  });

  inMemory((world) => {
    const starved = async (handlers: ListenHandlers): Promise<Listener> => {
      const listener = await world.listen(handlers, { disabled: true });
      world.dial(listener);
      await world.settle();
      world.network.descriptorLimit = world.network.openDescriptors;
      listener.enable();
      await world.settle();
      world.network.descriptorLimit = Number.POSITIVE_INFINITY;
      return listener;
    };

    it('LI-3: an error without a handler leaves the listener as it was (regress E3)', async () => {
      const { accepted, handlers } = keeper(world);
      const listener = await starved(handlers);
      expect(listener.stats().errors).toBe(1);
      await world.settle();
      expect(accepted).toHaveLength(1);
    });

    it('LI-4: the error handler sees the listener and may disable it (regress E4, E5)', async () => {
      let seen = 0;
      const listener = await starved({
        onListenerError(error, from) {
          expect(error).toMatchObject({ code: 'EMFILE' });
          seen += 1000;
          from.disable();
        },
      });
      await world.settle();
      expect(seen).toBe(1000);
      expect(listener.enabled).toBe(false);
      expect(listener.connections).toBe(0);
    });

    it('LI-2: other code that disables the listener while its handlers run stops it at once (regress E8, E9)', async () => {
      for (const handler of ['onConnection', 'onListenerError'] as const) {
        let calls = 0;
        const disableSoon = (_: unknown, from: Listener) => {
          calls += 1;
          queueMicrotask(() => from.disable());
        };
        const listener =
          handler === 'onConnection'
            ? await world.listen({ onConnection: disableSoon })
            : await starved({ onListenerError: disableSoon });
        if (handler === 'onConnection') world.dial(listener);
        await world.settle();
        expect(calls, handler).toBe(1);
        world.dial(listener);
        await world.settle();
        expect(calls, handler).toBe(1);
        expect(listener.enabled).toBe(false);
        await listener.close();
      }
    });
  });
});
