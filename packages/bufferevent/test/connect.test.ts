// Connecting by address and by name: B42–B45. Names are answered by a lookup of the test, time by its clock.
import {
  type BuffereventEvent,
  connect,
  createPair,
  type EventBase,
  type Lookup,
  type LookupAddress,
  listen,
  SocketBufferevent,
} from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { text } from './support/bytes.js';
import { sockets } from './support/system-backends.js';
import { failure, isPending, rejection, turns } from './support/wait.js';
import { inMemory, inWorlds, ipOf, onEveryBackend, type World } from './support/world.js';

const v4 = (address: string): LookupAddress => ({ address, family: 4 });
const v6 = (address: string): LookupAddress => ({ address, family: 6 });

/** A base of this world on which every name stands for these addresses. */
function baseFor(world: World, addresses: readonly LookupAddress[]): EventBase {
  return world.newBase({ lookup: async () => addresses });
}

describe('several addresses', () => {
  inMemory((world) => {
    const black = (...ips: string[]): void => {
      for (const ip of ips) world.network.blackhole({ ip, port: 0 });
    };
    /** Listens on these addresses with one port and notes who was reached. */
    async function serve(...ips: string[]): Promise<number> {
      let port = 0;
      for (const ip of ips) {
        world.network.addHost(ip);
        const listener = await listen(
          { ip, port },
          { onConnection: () => void world.log.push(ip) },
          { base: world.base },
        );
        ({ port } = ipOf(listener));
      }
      return port;
    }

    it('EV-8: when the first address refuses, the next is tried at once', async () => {
      const port = await serve('127.0.0.2');
      const base = baseFor(world, [v4('127.0.0.1'), v4('127.0.0.2')]);
      const bev = world.keep(await connect({ host: 'example.test', port }, {}, { base }));
      expect(bev.address.peer).toEqual({ ip: '127.0.0.2', port });
      await world.settle();
      expect(world.log).toEqual(['127.0.0.2']);
    });

    it('EV-8: an address that does not answer holds up the next for 250 ms', async () => {
      const port = await serve('127.0.0.3');
      black('127.0.0.2');
      const base = baseFor(world, [v4('127.0.0.2'), v4('127.0.0.3')]);
      const connecting = connect({ host: 'example.test', port }, {}, { base });
      await world.settle();
      await world.advance(249);
      expect(world.log).toEqual([]);
      await world.advance(1);
      const bev = world.keep(await connecting);
      expect(world.log).toEqual(['127.0.0.3']);
      expect(bev.address.peer).toEqual({ ip: '127.0.0.3', port });
      expect(base.stats().port.streams).toBe(1);
    });

    it('EV-8: the first that stands wins, the others are closed', async () => {
      const port = await serve('127.0.0.2', '127.0.0.3', '127.0.0.4');
      black('127.0.0.2', '127.0.0.3');
      const base = baseFor(world, [v4('127.0.0.2'), v4('127.0.0.3'), v4('127.0.0.4')]);
      const connecting = connect({ host: 'example.test', port }, {}, { base });
      await world.settle();
      await world.advance(250);
      expect(base.stats().port.streams).toBe(2);
      world.network.restore({ ip: '127.0.0.2', port: 0 });
      await world.settle();
      const bev = world.keep(await connecting);
      expect(bev.address.peer).toEqual({ ip: '127.0.0.2', port });
      expect(base.stats().port.streams).toBe(1);
      await world.advance(10_000);
      world.network.restore({ ip: '127.0.0.3', port: 0 });
      await world.settle();
      expect(world.log).toEqual(['127.0.0.2']);
    });

    it('EV-8: the families take turns, the preferred one first', async () => {
      const port = await serve('::1');
      black('127.0.0.2', '127.0.0.3');
      const base = baseFor(world, [v4('127.0.0.2'), v4('127.0.0.3'), v6('::1')]);
      const connecting = connect({ host: 'example.test', port }, {}, { base });
      await world.settle();
      await world.advance(250);
      world.keep(await connecting);
      expect(world.log).toEqual(['::1']);
    });

    it('EV-8: when all fail there is one error, with the fields of the first and all of them in it', async () => {
      const base = baseFor(world, [v4('127.0.0.2'), v4('127.0.0.3')]);
      const error = await rejection(connect({ host: 'example.test', port: 81 }, {}, { base }));
      expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.2', port: 81 });
      expect((error as Error & { errors: Error[] }).errors).toHaveLength(2);
      await world.settle();
      expect(base.stats().port).toMatchObject({ streams: 0, pending: 0 });
    });

    it('EV-6, EV-8: the deadline covers lookup and all attempts', async () => {
      black('127.0.0.2', '127.0.0.3');
      const base = baseFor(world, [v4('127.0.0.2'), v4('127.0.0.3')]);
      const connecting = rejection(
        connect({ host: 'example.test', port: 80 }, {}, { base, timeouts: { connectMs: 1000 } }),
      );
      await world.settle();
      await world.advance(999);
      expect(base.stats().port.streams).toBe(2);
      await world.advance(1);
      expect(await connecting).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect', port: 80 });
      expect(base.stats().port).toMatchObject({ streams: 0, pending: 0 });
    });

    it('EV-6: a lookup that never answers is given up, too', async () => {
      const base = world.newBase({ lookup: () => new Promise(() => {}) });
      const connecting = rejection(
        connect({ host: 'example.test', port: 80 }, {}, { base, timeouts: { connectMs: 1000 } }),
      );
      await world.settle();
      await world.advance(1000);
      expect(await connecting).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect' });
    });

    it('EV-8: the family asked for is passed to the lookup', async () => {
      const asked: Array<readonly [string, number]> = [];
      const lookup: Lookup = async (host, family) => {
        asked.push([host, family]);
        return [];
      };
      const base = world.newBase({ lookup });
      for (const family of [0, 4, 6] as const) {
        await rejection(connect({ host: 'example.test', port: 80, family }, {}, { base }));
      }
      await rejection(connect({ host: 'example.test', port: 80 }, {}, { base }));
      expect(asked).toEqual([0, 4, 6, 0].map((family) => ['example.test', family]));
    });
  });
});

describe('names', () => {
  inMemory((world) => {
    it('EV-7: an unknown name is one event, never inside connect()', async () => {
      const failure = Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.test'), {
        code: 'ENOTFOUND',
        syscall: 'getaddrinfo',
        hostname: 'nowhere.test',
      });
      const base = world.newBase({
        lookup: async () => {
          throw failure;
        },
      });
      const events: BuffereventEvent[] = [];
      const bev = world.keep(
        new SocketBufferevent(base, { handlers: { onEvent: (_, event) => void events.push(event) } }),
      );
      bev.enable('read');
      bev.connect({ host: 'nowhere.test', port: 80 });
      expect(events).toEqual([]);
      await world.settle();
      expect(events).toEqual([{ kind: 'error', error: failure }]);
      bev.free();
    });

    it('EV-7: a lookup that throws is one that rejects', async () => {
      const base = world.newBase({
        lookup: () => {
          throw new Error('thrown in lookup');
        },
      });
      const bev = world.keep(new SocketBufferevent(base, { handlers: world.record('client') }));
      bev.connect({ host: 'example.test', port: 80 });
      expect(world.log).toEqual([]);
      await world.settle();
      expect(world.log).toEqual(['client error thrown in lookup']);
      bev.free();
    });

    it.each([{ family: 0 }, { family: 4 }] as const)(
      'EV-7: a lookup that answers with something else than addresses is one that rejects, for %o',
      async ({ family }) => {
        for (const entry of [null, undefined, 'text', {}, { address: 1, family: 4 }]) {
          const base = world.newBase({ lookup: async () => [v4('127.0.0.1'), entry as unknown as LookupAddress] });
          const connecting = connect({ host: 'example.test', port: 80, family }, world.record('client'), { base });
          const outcome = rejection(connecting);
          await world.settle();
          expect(await isPending(outcome)).toBe(false);
          expect(await outcome).toBeInstanceOf(TypeError);
          expect(world.log).toEqual([]);
        }
      },
    );

    it('EV-7: a connection freed during the lookup hears nothing of it', async () => {
      let answer: (addresses: LookupAddress[]) => void = () => {};
      const base = world.newBase({
        lookup: () =>
          new Promise((resolve) => {
            answer = resolve;
          }),
      });
      const bev = world.keep(new SocketBufferevent(base, { handlers: world.record('client') }));
      bev.connect({ host: 'example.test', port: 80 });
      await world.settle();
      bev.free();
      answer([v4('127.0.0.1')]);
      await world.settle();
      expect(world.log).toEqual([]);
      expect(base.stats().port).toMatchObject({ streams: 0, pending: 0 });
    });
  });

  onEveryBackend((world) => {
    it('EV-7: localhost and literal addresses work as hosts', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev).write('!') });
      const { port } = ipOf(listener);
      for (const host of ['127.0.0.1', 'localhost']) {
        const bev = world.keep(await connect({ host, port }, {}, { base: world.base }));
        expect(text(await bev.read(1))).toBe('!');
        expect(bev.address.peer).toMatchObject({ port });
        bev.free();
      }
    });

    it('EV-7: a name that cannot exist is Node’s error of the resolver', async () => {
      const error = await rejection(connect({ host: 'does-not-exist.invalid', port: 80 }, {}, { base: world.base }));
      expect((error as { code?: string }).code).toMatch(/^(ENOTFOUND|EAI_AGAIN)$/);
      expect(error).toMatchObject({ syscall: 'getaddrinfo', hostname: 'does-not-exist.invalid' });
    });
  });
});

describe('giving up and starting over', () => {
  inMemory((world) => {
    const answers: Record<string, () => Promise<readonly LookupAddress[]>> = {
      'no address': async () => [],
      'no list': async () => undefined as unknown as LookupAddress[],
      'what is no address': async () => [v4('not an address')],
    };
    for (const [name, lookup] of Object.entries(answers)) {
      it(`EV-7: a lookup that answers with ${name} is one failure`, async () => {
        const base = world.newBase({ lookup });
        const error = await Promise.race([
          rejection(connect({ host: 'example.test', port: 80 }, {}, { base })),
          turns().then(() => 'nothing'),
        ]);
        expect(error).toBeInstanceOf(Error);
        expect(base.stats().port).toMatchObject({ streams: 0, pending: 0 });
      });
    }

    const moments: Record<string, { lookup?: Lookup; target: { host: string; port: number } }> = {
      'the lookup': { lookup: () => new Promise(() => {}), target: { host: 'example.test', port: 80 } },
      'an attempt': { target: { host: '127.0.0.9', port: 80 } },
    };
    for (const [name, { lookup, target }] of Object.entries(moments)) {
      it(`B67: disposing of the base during ${name} rejects connect()`, async () => {
        world.network.blackhole({ ip: '127.0.0.9', port: 0 });
        const base = world.newBase(lookup === undefined ? {} : { lookup });
        const outcome = connect(target, {}, { base }).catch((error: unknown) => error);
        await world.settle();
        await base[Symbol.asyncDispose]();
        const error = await Promise.race([outcome, turns().then(() => 'nothing')]);
        expect(error).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
      });
    }

    it('B67: a base that was disposed of takes nothing new', async () => {
      const base = world.newBase();
      await base[Symbol.asyncDispose]();
      const closed = { code: 'ERR_BUFFEREVENT_CLOSED' };
      const here = { ip: '127.0.0.1', port: 0 };
      expect(await failure(() => connect({ ip: '127.0.0.1', port: 9 }, {}, { base }))).toMatchObject(closed);
      expect(await failure(() => listen(here, {}, { base }))).toMatchObject(closed);
      expect(await failure(() => createPair(base))).toMatchObject(closed);
      expect(await failure(() => new SocketBufferevent(base))).toMatchObject(closed);
      const handlers = world.record('late');
      expect(await failure(() => new SocketBufferevent(base, { handlers }))).toMatchObject(closed);
      expect(base.stats().members).toBe(0);
    });

    it('B74: a signal aborts at every turn of connecting and leaves nothing open', async () => {
      const listener = await world.listen({});
      for (let after = 0; after < 10; after++) {
        const base = baseFor(world, [v4('127.0.0.1')]);
        const controller = new AbortController();
        const reason = new Error('changed my mind');
        const connecting = connect({ host: 'example.test', port: ipOf(listener).port }, world.record('client'), {
          base,
          signal: controller.signal,
        });
        const outcome = connecting.then(
          (bev) => world.keep(bev),
          (error: unknown) => error,
        );
        await turns(after);
        controller.abort(reason);
        const result = await outcome;
        if (result instanceof SocketBufferevent) {
          await world.settle();
          expect(result.freed, 'without effect once connected').toBe(false);
          result.free();
        } else {
          expect(result).toBe(reason);
          expect(world.log).toEqual([]);
        }
        await world.settle();
        expect(base.stats().port).toMatchObject({ streams: 0, pending: 0 });
        world.log.length = 0;
      }
    });

    it('EV-2: after a failure the same object may connect again', async () => {
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.write('kept');
      bev.connect({ ip: '127.0.0.1', port: 9 });
      await world.settle();
      expect(world.log).toEqual(['client error ECONNREFUSED']);
      const listener = await world.listen({ onConnection: (at) => void world.keep(at), onRead() {} });
      bev.connect(ipOf(listener));
      await world.settle();
      expect(world.log.slice(1)).toEqual(['client connected', 'client write']);
    });

    it('EV-6: an attempt that failed leaves no timer behind', async () => {
      const bev = world.keep(new SocketBufferevent(world.base));
      bev.connect({ ip: '127.0.0.1', port: 9 });
      await world.settle();
      expect(world.clock.pendingTimers).toBe(0);
      bev.free();
    });

    it('B42: connecting what is connected or connecting is a mistake', async () => {
      const listener = await world.listen({});
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      const twice = expect.objectContaining({ code: 'ERR_BUFFEREVENT_ALREADY_CONNECTED' });
      bev.connect(ipOf(listener));
      expect(() => bev.connect(ipOf(listener))).toThrow(twice);
      await world.settle();
      expect(() => bev.connect(ipOf(listener))).toThrow(twice);
      expect(world.log).toEqual(['client connected']);
    });

    it('EV-6: an attempt into nowhere stays pending until aborted', async () => {
      world.network.blackhole({ ip: '127.0.0.9', port: 0 });
      const controller = new AbortController();
      const target = { ip: '127.0.0.9', port: 80 };
      const connecting = connect(
        target,
        {},
        { base: world.base, signal: controller.signal, timeouts: { connectMs: null } },
      );
      const outcome = rejection(connecting);
      await world.advance(3_600_000);
      expect(await isPending(connecting)).toBe(true);
      controller.abort();
      expect(await outcome).toMatchObject({ name: 'AbortError' });
      await world.settle();
      expect(world.base.stats().port).toMatchObject({ streams: 0, pending: 0 });
    });
  });

  inWorlds(['memory', ...sockets], (world) => {
    it('B42: the local address is the one asked for', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const localAddress = { ip: '127.0.0.5', port: 0 };
      const bev = await world.connect(listener, {}, { localAddress });
      expect(bev.address.local).toMatchObject({ ip: '127.0.0.5' });
    });
  });
});
