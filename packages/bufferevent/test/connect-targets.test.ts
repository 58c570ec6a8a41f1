// What may be connected to, from where, and with which options: B42, B46–B48.
import { ADDRCONFIG, ALL, V4MAPPED } from 'node:dns';
import {
  type Address,
  type BuffereventEvent,
  connect,
  type Lookup,
  type LookupAddress,
  listen,
  SocketBufferevent,
} from 'bufferevent';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { noteOptions } from './support/options.js';
import { run } from './support/program.js';
import { sockets } from './support/system-backends.js';
import { failure, rejection } from './support/wait.js';
import { inMemory, inWorlds, ipOf, onEveryBackend } from './support/world.js';

const v4 = (address: string): LookupAddress => ({ address, family: 4 });
const v6 = (address: string): LookupAddress => ({ address, family: 6 });

describe('several addresses given', () => {
  onEveryBackend((world) => {
    it('EV-8, B46: the first that answers is connected to', async () => {
      const gone = await world.listen({});
      const refusing = ipOf(gone);
      await gone.close();
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const addresses = [refusing, ipOf(listener)];
      const bev = world.keep(await connect({ addresses }, {}, { base: world.base }));
      expect(bev.address.peer).toEqual(ipOf(listener));
    });

    it('EV-8, B46: when all fail there is one error with all of them', async () => {
      const gone = await world.listen({});
      const { ip, port } = ipOf(gone);
      await gone.close();
      const target = {
        addresses: [
          { ip, port },
          { ip, port },
        ],
      };
      const error = await rejection(connect(target, {}, { base: world.base }));
      expect(error).toMatchObject({ code: 'ECONNREFUSED', address: ip, port });
      expect((error as Error & { errors: Error[] }).errors).toHaveLength(2);
      const alone = await rejection(connect({ addresses: [{ ip, port }] }, {}, { base: world.base }));
      expect(alone).toMatchObject({ code: 'ECONNREFUSED', address: ip, port });
      expect('errors' in alone).toBe(false);
    });
  });

  inMemory((world) => {
    it('EV-8, B46: they are tried in the order given, 250 ms apart, paths among them', async () => {
      for (const ip of ['127.0.0.2', '::1']) world.network.blackhole({ ip, port: 0 });
      const listener = await listen({ path: '/served' }, {}, { base: world.base });
      const addresses: Address[] = [{ ip: '127.0.0.2', port: 1 }, { ip: '::1', port: 2 }, { path: '/served' }];
      const connecting = connect({ addresses }, {}, { base: world.base });
      await world.settle();
      const streams = () => world.base.stats().port.streams;
      expect(streams()).toBe(1);
      await world.advance(250);
      expect(streams()).toBe(2);
      await world.advance(249);
      expect(streams()).toBe(2);
      await world.advance(1);
      const bev = world.keep(await connecting);
      await world.settle();
      expect(listener.connections).toBe(1);
      expect(bev.address.peer).toEqual({ path: '/served' });
    });

    it('B13, B46: a list that is none, is empty, or holds what is no address is a mistake', async () => {
      const bev = world.keep(new SocketBufferevent(world.base));
      const lists: Array<[object, unknown]> = [
        [{ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }, 'x'],
        [{ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }, []],
        [
          { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' },
          [
            { ip: '127.0.0.1', port: 1 },
            { ip: 'a', port: 1 },
          ],
        ],
        [{ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }, [{ host: 'example.test', port: 1 }]],
        [{ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }, [{ ip: '127.0.0.1', port: 1, path: '/a' }]],
        [{ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }, [{ ip: '127.0.0.1', port: 65_536 }]],
      ];
      for (const [expected, addresses] of lists) {
        const target = { addresses } as { addresses: Address[] };
        expect(await failure(() => bev.connect(target)), String(addresses)).toMatchObject(expected);
        expect(await failure(() => connect(target, {}, { base: world.base }))).toMatchObject(expected);
      }
      expect(world.base.stats().port).toMatchObject({ streams: 0, pending: 0 });
    });
  });
});

describe('the local address', () => {
  inMemory((world) => {
    it('B47: only addresses of its family are looked up and tried', async () => {
      const asked: number[] = [];
      const base = world.newBase({
        lookup: async (_, family) => {
          asked.push(family);
          return [v6('::1'), v4('127.0.0.1')];
        },
      });
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const { port } = ipOf(listener);
      const localAddress = { ip: '127.0.0.5', port: 0 };
      const bev = world.keep(await connect({ host: 'example.test', port }, {}, { base, localAddress }));
      expect(asked).toEqual([4]);
      expect(bev.address).toMatchObject({ local: { ip: '127.0.0.5' }, peer: { ip: '127.0.0.1', port } });
      const addresses = [
        { ip: '::1', port },
        { ip: '127.0.0.1', port },
      ];
      const other = world.keep(await connect({ addresses }, {}, { base, localAddress }));
      expect(other.address.peer).toEqual({ ip: '127.0.0.1', port });
    });

    it('B47: a name without an address of its family, and one of another family, are failures', async () => {
      const base = world.newBase({ lookup: async () => [v6('::1')] });
      const localAddress = { ip: '127.0.0.5', port: 0 };
      const unknown = await rejection(connect({ host: 'example.test', port: 80 }, {}, { base, localAddress }));
      expect(unknown).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'connect' });
      const other = await rejection(connect({ addresses: [{ ip: '::1', port: 80 }] }, {}, { base, localAddress }));
      expect(other).toMatchObject({ code: 'EINVAL', syscall: 'connect', address: '::1' });
      await world.settle();
      expect(base.stats().port).toMatchObject({ streams: 0, pending: 0 });
      const addresses = [
        { ip: '::1', port: 80 },
        { ip: '127.0.0.1', port: 80 },
      ];
      const refused = await rejection(connect({ addresses }, {}, { base, localAddress }));
      expect(refused).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1' });
      expect('errors' in refused).toBe(false);
    });

    it('B13, B47: one that is none, and a family that contradicts it, are mistakes', async () => {
      const target = { host: 'example.test', port: 80 };
      const bogus = await failure(() => connect(target, {}, { base: world.base, localAddress: { ip: 'x', port: 0 } }));
      expect(bogus).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
      const localAddress = { ip: '127.0.0.5', port: 0 };
      const contrary = await failure(() => connect({ ...target, family: 6 }, {}, { base: world.base, localAddress }));
      expect(contrary).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      await world.settle();
      expect(world.base.stats().port).toMatchObject({ streams: 0, pending: 0 });
    });
  });
});

describe('looking up', () => {
  const known: Lookup = async (host) => {
    if (host === 'nowhere.test') throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    return [v4('127.0.0.1')];
  };

  inWorlds(['memory', ...sockets], (world) => {
    for (const hints of [0, ADDRCONFIG]) {
      const cited = hints === 0 ? 'bufferevent_connect_hostname' : '_hostname_hints';
      it(`EV-7: one event for each of five hosts, and the error of the lookup (regress H: ${cited})`, async () => {
        const questions: Array<readonly [string, number]> = [];
        const own = world.newBase({
          lookup: (host, family, flags) => {
            questions.push([host, flags]);
            return known(host, family, flags);
          },
        });
        let accepted = 0;
        const listener = await world.listen({
          onConnection: (bev) => {
            accepted += 1;
            world.keep(bev);
          },
        });
        const { port } = ipOf(listener);
        const attempts = [
          { base: own, host: 'nowhere.test', outcome: 'error', code: 'ENOTFOUND' },
          { base: own, host: '127.0.0.1', outcome: 'connected' },
          { base: own, host: 'somewhere.test', outcome: 'connected' },
          { base: world.base, host: 'localhost', outcome: 'connected' },
          { base: world.base, host: 'does-not-exist.invalid', outcome: 'error', code: /^(ENOTFOUND|EAI_AGAIN)$/ },
        ];
        const events: BuffereventEvent[][] = attempts.map(() => []);
        const bevs = attempts.map(({ base, host }, index) => {
          const handlers = {
            onRead: () => void events[index]?.push({ kind: 'eof', direction: 'read' }),
            onWrite: () => void events[index]?.push({ kind: 'eof', direction: 'read' }),
            onEvent: (_: unknown, event: BuffereventEvent) => void events[index]?.push(event),
          };
          const bev = world.keep(new SocketBufferevent(base, { handlers }));
          bev.enable('read');
          expect(bev.lookupError).toBeNull();
          // The system's own names only without ADDRCONFIG: a machine without a network has no address then.
          const target = base === own ? { host, port, family: 4 as const, hints } : { host, port, family: 4 as const };
          bev.connect(target);
          return bev;
        });
        expect(events.flat()).toEqual([]);
        await world.until(() => events.every((list) => list.length > 0) && accepted === 3, 'five outcomes');
        if (world.isMemory) await world.settle();
        for (const [index, { outcome, code, host }] of attempts.entries()) {
          expect(
            events[index]?.map(({ kind }) => kind),
            host,
          ).toEqual([outcome]);
          const { lookupError } = bevs[index] as SocketBufferevent;
          if (outcome === 'connected') expect(lookupError, host).toBeNull();
          else {
            expect(events[index]).toEqual([{ kind: 'error', error: lookupError }]);
            expect(lookupError?.code).toMatch(code as string | RegExp);
          }
        }
        expect(accepted).toBe(3);
        expect(questions.map(([host]) => host)).toEqual(['nowhere.test', '127.0.0.1', 'somewhere.test']);
        expect(questions.every(([, flags]) => flags === hints)).toBe(true);
        for (const bev of bevs) bev.free();
      });
    }

    it('EV-7: the error of a lookup is forgotten by the next connect(), and an address that refuses has none', async () => {
      const base = world.newBase({ lookup: known });
      const gone = await world.listen({});
      const { port } = ipOf(gone);
      await gone.close();
      const bev = world.keep(new SocketBufferevent(base, { handlers: world.record('client') }));
      bev.connect({ host: 'nowhere.test', port });
      await world.until(() => world.log.length === 1, 'the first failure');
      expect(bev.lookupError).toMatchObject({ code: 'ENOTFOUND' });
      bev.connect({ host: 'somewhere.test', port });
      expect(bev.lookupError).toBeNull();
      await world.until(() => world.log.length === 2, 'the second failure');
      expect(bev.lookupError).toBeNull();
      expect(world.log).toEqual(['client error ENOTFOUND', 'client error ECONNREFUSED']);
      bev.free();
    });
  });

  inMemory((world) => {
    it('EV-7: without descriptors every attempt fails, nothing is accepted (regress H: _hostname_emfile)', async () => {
      const base = world.newBase({ lookup: known });
      const listener = await world.listen({ onConnection: () => void world.log.push('accepted') });
      const { port } = ipOf(listener);
      world.network.descriptorLimit = world.network.openDescriptors;
      const errors = await Promise.all(
        ['nowhere.test', '127.0.0.1', 'somewhere.test'].map((host) => rejection(connect({ host, port }, {}, { base }))),
      );
      expect(errors.map(({ code }) => code)).toEqual(['ENOTFOUND', 'EMFILE', 'EMFILE']);
      await world.settle();
      expect(world.log).toEqual([]);
      world.network.descriptorLimit = Number.POSITIVE_INFINITY;
    });

    it('EV-8: addresses of a family that was not asked for are not tried', async () => {
      const base = world.newBase({ lookup: async () => [v6('::1'), v4('127.0.0.1')] });
      const { port } = ipOf(await world.listen({}));
      const bev = world.keep(await connect({ host: 'example.test', port, family: 4 }, {}, { base }));
      expect(bev.address.peer).toEqual({ ip: '127.0.0.1', port });
    });

    it('B13: hints and families that are none are mistakes of connect() and listen()', async () => {
      const wrong: Array<[string, Record<string, unknown>]> = [
        ['RangeError', { hints: -1 }],
        ['RangeError', { hints: 1.5 }],
        ['RangeError', { hints: (ADDRCONFIG | V4MAPPED | ALL) + 1_000_000 }],
        ['TypeError', { hints: 'ADDRCONFIG' }],
        ['RangeError', { family: 5 }],
      ];
      for (const [name, options] of wrong) {
        const target = { host: 'example.test', port: 80, ...options } as { host: string; port: number };
        expect(await failure(() => connect(target, {}, { base: world.base }))).toMatchObject({ name });
        expect(await failure(() => listen(target, {}, { base: world.base }))).toMatchObject({ name });
      }
      expect(world.base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0 });
    });

    it('EV-8: family and hints are passed to the lookup of listen(), too', async () => {
      const asked: unknown[] = [];
      const base = world.newBase({
        lookup: async (...question) => {
          asked.push(question);
          return [v4('127.0.0.1')];
        },
      });
      const hints = ADDRCONFIG | V4MAPPED;
      await listen({ host: 'example.test', port: 0, family: 4, hints }, {}, { base });
      expect(asked).toEqual([['example.test', 4, hints]]);
    });
  });

  it('EV-8: family and hints reach the resolver of Node', async () => {
    const outcome = await run(`
      import dns from 'node:dns';
      import { syncBuiltinESMExports } from 'node:module';
      dns.lookup = (host, { family, hints, all }, callback) => {
        console.log(host, family, hints === dns.ADDRCONFIG, all);
        callback(new Error('no more'));
      };
      syncBuiltinESMExports();
      const { connect } = await import('bufferevent');
      const target = { host: 'example.test', port: 80, family: 6, hints: dns.ADDRCONFIG };
      await connect(target).catch(({ message }) => console.log(message));
    `);
    expect(outcome).toEqual({ code: 0, signal: null, stdout: 'example.test 6 true true\nno more\n', stderr: '' });
  });
});

describe('options of the stream', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('B48: they are set when connected, before anything is sent', async () => {
      const noted = noteOptions(world.backend);
      const base = world.newBase({ backend: noted.backend });
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const bev = new SocketBufferevent(base);
      bev.write('at once');
      bev.connect(ipOf(listener), { noDelay: true, keepAlive: 20_000 });
      await bev.drained();
      world.keep(bev);
      expect(noted.log).toEqual(['noDelay true 0', 'keepAlive 20000 0', 'send']);
      bev.free();
    });

    it('B48: only those that were asked for, also for the winner among several addresses', async () => {
      const noted = noteOptions(world.backend);
      const base = world.newBase({ backend: noted.backend });
      const gone = await world.listen({});
      const refusing = ipOf(gone);
      await gone.close();
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const addresses = [refusing, ipOf(listener)];
      world.keep(await connect({ addresses }, {}, { base, keepAlive: false }));
      world.keep(await connect(ipOf(listener), {}, { base }));
      expect(noted.log).toEqual(['keepAlive false 0']);
    });

    it('B13, B48: values that are none are mistakes', async () => {
      const here = { ip: '127.0.0.1', port: 80 };
      const cases = [
        ['TypeError', { noDelay: 1 }],
        ['TypeError', { keepAlive: true }],
        ['RangeError', { keepAlive: -1 }],
      ] as const;
      for (const [name, options] of cases) {
        const given = { base: world.base, ...options } as object;
        expect(await failure(() => connect(here, {}, given))).toMatchObject({ name });
        expect(await failure(() => listen(here, {}, given))).toMatchObject({ name });
      }
      expect(world.base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0 });
    });
  });

  inMemory((world) => {
    it('B48: buffer sizes have their effect from the start', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const bev = new SocketBufferevent(world.base);
      bev.connect(ipOf(listener), { sendBufferSize: 100 });
      bev.write(new Uint8Array(1000));
      await world.settle();
      expect(bev.output.length).toBe(900);
      bev.free();
    });

    it('B48: options that the backend does not offer are refused at the call', async () => {
      const lesser = createMemoryBackend(world.network, { supports: { streamOptions: ['noDelay'] } });
      const base = world.newBase({ backend: lesser });
      const unsupported = { code: 'ERR_BUFFEREVENT_UNSUPPORTED' };
      const here = { ip: '127.0.0.1', port: 0 };
      for (const options of [{ keepAlive: 1000 }, { recvBufferSize: 1000 }]) {
        expect(await failure(() => connect({ ...here, port: 80 }, {}, { base, ...options }))).toMatchObject(
          unsupported,
        );
        expect(await failure(() => listen(here, {}, { base, ...options }))).toMatchObject(unsupported);
        expect(await failure(() => listen({ host: 'localhost', port: 0 }, {}, { base, ...options }))).toMatchObject(
          unsupported,
        );
      }
      expect(base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0 });
    });
  });
});
