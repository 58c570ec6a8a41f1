// Time-outs: tied to progress, one-shot, driven by the clock of the base. B50–B56.
import { type Bufferevent, type BuffereventEvent, EventBase, SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { contents, KiB, pattern, text } from './support/bytes.js';
import { count } from './support/recorder.js';
import { rejection, turns } from './support/wait.js';
import { inMemory, ipOf, onEveryBackend } from './support/world.js';

describe('the read timer', () => {
  inMemory((world) => {
    it('TO-2: bytes start it anew: data at 30 ms, time-out 50 ms later', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setTimeouts({ readMs: 50 });
      await world.advance(30);
      peer.send('x');
      await world.settle();
      await world.advance(49);
      expect(world.log).toEqual(['server read 1']);
      await world.advance(1);
      expect(world.log).toEqual(['server read 1', 'server timeout read']);
    });

    it('TO-2: enable and setTimeouts start it anew', async () => {
      const { bev } = await world.accepted(world.record('server'));
      bev.setTimeouts({ readMs: 50 });
      await world.advance(40);
      bev.setTimeouts({ readMs: 50 });
      await world.advance(40);
      bev.disable('read');
      bev.enable('read');
      await world.advance(49);
      expect(world.log).toEqual([]);
      await world.advance(1);
      expect(world.log).toEqual(['server timeout read']);
    });

    it('TO-1: it stands still while reading is disabled', async () => {
      const { bev } = await world.accepted(world.record('server'));
      bev.setTimeouts({ readMs: 50 });
      bev.disable('read');
      await world.advance(1000);
      expect(world.log).toEqual([]);
      bev.enable('read');
      await world.advance(50);
      expect(world.log).toEqual(['server timeout read']);
    });

    it('TO-1: a full input stops it, resuming starts it from zero', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setTimeouts({ readMs: 50 });
      bev.setWatermarks('read', { high: 4 });
      peer.send('0123');
      await world.settle();
      await world.advance(150);
      expect(world.log).toEqual(['server read 4']);
      bev.input.drain(4);
      await world.settle();
      await world.advance(49);
      expect(world.log).toEqual(['server read 4']);
      await world.advance(1);
      expect(world.log).toEqual(['server read 4', 'server timeout read']);
    });

    it('TO-1: it is not running before the connection stands', async () => {
      world.network.blackhole({ ip: '127.0.0.9', port: 0 });
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.setTimeouts({ readMs: 50, writeMs: 50 });
      bev.enable('read');
      bev.write('early');
      bev.connect({ ip: '127.0.0.9', port: 80 });
      await world.advance(1000);
      expect(world.log).toEqual([]);
      bev.free();
    });

    it('TO-4: it fires once, disables reading only, and closes nothing', async () => {
      const events: BuffereventEvent[] = [];
      const { bev, peer } = await world.accepted({ onRead() {}, onEvent: (_, event) => void events.push(event) });
      bev.setTimeouts({ readMs: 50 });
      for (let round = 0; round < 5; round++) await world.advance(100);
      expect(events).toHaveLength(1);
      expect(events[0]).toMatchObject({
        kind: 'timeout',
        timeout: 'read',
        direction: 'read',
        error: { code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'read' },
      });
      expect(bev.enabled).toEqual(['write']);
      expect(bev.freed).toBe(false);
      bev.write('still here');
      await world.settle();
      expect(peer.received.toString()).toBe('still here');
    });

    it('TO-4: enabling again goes on and arms it again', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setTimeouts({ readMs: 50 });
      await world.advance(50);
      peer.send('late');
      await world.settle();
      expect(world.log).toEqual(['server timeout read']);
      bev.enable('read');
      await world.settle();
      expect(world.log).toEqual(['server timeout read', 'server read 4']);
      await world.advance(50);
      expect(count(world.log, 'server timeout read')).toBe(2);
    });

    it('TO-4: a pending pull is tried reading, and rejects with the time-out', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setTimeouts({ readMs: 50 });
      await world.advance(500);
      const pull = rejection(bev.read(10));
      peer.send('0123');
      await world.settle();
      await world.advance(50);
      expect(await pull).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'read' });
      expect(text(contents(bev.input))).toBe('0123');
      const again = bev.read(6);
      peer.send('45');
      await world.settle();
      expect(text(await again)).toBe('012345');
    });

    it('TO-7: null and 0 clear, a missing property leaves, and changes act at once', async () => {
      const { bev } = await world.accepted(world.record('server'));
      bev.setTimeouts({ readMs: 50 });
      bev.setTimeouts({ readMs: null });
      await world.advance(500);
      bev.setTimeouts({ readMs: 50 });
      bev.setTimeouts({ readMs: 0 });
      await world.advance(500);
      expect(world.log).toEqual([]);
      bev.setTimeouts({ readMs: 50 });
      bev.setTimeouts({ writeMs: 10 });
      await world.advance(50);
      expect(world.log).toEqual(['server timeout read']);
    });
  });
});

describe('the write timer', () => {
  inMemory((world) => {
    const size = 100 * KiB;
    /** A server whose peer reads nothing: its output is stuck. */
    async function stuck(): Promise<{ bev: Bufferevent; resume(): void }> {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      peer.stopReading();
      await world.settle();
      return { bev, resume: () => peer.readOn() };
    }

    it('TO-3, TO-6: an idle connection never times out in writing', async () => {
      const { bev } = await stuck();
      bev.setTimeouts({ writeMs: 50 });
      bev.disable('write');
      bev.enable('write');
      await world.advance(1000);
      bev.write('small');
      await world.settle();
      await world.advance(1000);
      expect(world.log.filter((line) => line.includes('timeout'))).toEqual([]);
    });

    it('TO-3: a peer that takes nothing is one time-out; output keeps its bytes', async () => {
      const { bev } = await stuck();
      bev.setTimeouts({ writeMs: 50 });
      bev.write(pattern(size));
      await world.settle();
      const { length } = bev.output;
      expect(length).toBeGreaterThan(0);
      await world.advance(49);
      expect(world.log).toEqual([]);
      for (let round = 0; round < 4; round++) await world.advance(50);
      expect(world.log).toEqual(['server timeout write']);
      expect(bev.enabled).not.toContain('write');
      expect(bev.output.length).toBe(length);
      expect(bev.freed).toBe(false);
    });

    it('TO-3: bytes that leave start it anew', async () => {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      peer.stopReading();
      await world.settle();
      bev.setTimeouts({ writeMs: 50 });
      bev.write(pattern(2 * size));
      await world.settle();
      const { length } = bev.output;
      await world.advance(40);
      peer.readOn();
      await world.until(() => bev.output.length < length, 'progress');
      peer.stopReading();
      await world.settle();
      await world.advance(40);
      expect(world.log.filter((line) => line.includes('timeout'))).toEqual([]);
    });

    it('TO-3: it does not run while writing is disabled', async () => {
      const { bev } = await stuck();
      bev.setTimeouts({ writeMs: 50 });
      bev.disable('write');
      bev.write(pattern(size));
      await world.advance(1000);
      expect(world.log).toEqual([]);
    });

    it('TO-4: enabling writing again sends the rest', async () => {
      const { bev, resume } = await stuck();
      bev.setTimeouts({ writeMs: 50 });
      bev.write(pattern(size));
      await world.settle();
      await world.advance(50);
      expect(world.log).toEqual(['server timeout write']);
      resume();
      await world.settle();
      bev.enable('write');
      await world.until(() => bev.output.length === 0, 'an empty output');
      await world.settle();
      expect(world.log).toEqual(['server timeout write', 'server write']);
    });

    it('TO-8: read 150 ms and write 100 ms are one event each, in time, and nothing else within 350 ms', async () => {
      const times: string[] = [];
      const start = world.clock.now();
      const handlers = (name: string) => ({
        onRead: () => void times.push(`${name} read`),
        onWrite: () => void times.push(`${name} write`),
        onEvent: (_: Bufferevent, event: BuffereventEvent) =>
          void times.push(
            `${name} ${event.kind === 'timeout' ? event.timeout : event.kind} ${world.clock.now() - start}`,
          ),
      });
      const { client, server } = await world.pair(handlers('one'), handlers('two'), { server: { enable: ['write'] } });
      times.length = 0;
      client.setTimeouts({ readMs: 150, writeMs: 100 });
      server.setTimeouts({ readMs: 100, writeMs: 200 });
      client.write(pattern(10 * 64 * KiB));
      server.setWatermarks('read', { high: 1 });
      await world.settle();
      for (let step = 0; step < 35; step++) await world.advance(10);
      expect(times).toEqual(['one write 100', 'one read 150']);
      expect(client.enabled).toEqual([]);
    });
  });
});

describe('connecting, idling and the clock', () => {
  inMemory((world) => {
    it('EV-6: a connection attempt times out once, by its own name, whatever the write time-out is', async () => {
      world.network.blackhole({ ip: '127.0.0.9', port: 0 });
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.setTimeouts({ connectMs: 100, writeMs: 20 });
      bev.connect({ ip: '127.0.0.9', port: 80 });
      await world.settle();
      for (let round = 0; round < 10; round++) await world.advance(50);
      expect(world.log).toEqual(['client timeout connect']);
      expect(await bev.closed).toMatchObject({
        kind: 'timeout',
        timeout: 'connect',
        error: { code: 'ETIMEDOUT', syscall: 'connect', address: '127.0.0.9', port: 80 },
      });
      bev.free();
    });

    it('B55: connectMs set during the attempt counts from then on, and is over with it', async () => {
      world.network.blackhole({ ip: '127.0.0.9', port: 0 });
      const listener = await world.listen({});
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.setTimeouts({ connectMs: 0 });
      bev.connect({ ip: '127.0.0.9', port: 80 });
      await world.advance(40_000);
      bev.setTimeouts({ connectMs: 100 });
      await world.advance(99);
      expect(world.log).toEqual([]);
      await world.advance(1);
      expect(world.log).toEqual(['client timeout connect']);
      bev.connect(ipOf(listener));
      bev.setTimeouts({ connectMs: 200 });
      await world.advance(1_000);
      expect(world.log.slice(1)).toEqual(['client connected']);
    });

    it('EV-6: disabling writing does not stop the connection attempt', async () => {
      const listener = await world.listen({});
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.connect(ipOf(listener));
      bev.disable('write');
      await world.settle();
      expect(world.log).toEqual(['client connected']);
    });

    it('B44: the idle time-out needs quiet in both directions', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setTimeouts({ idleMs: 50 });
      for (let round = 0; round < 3; round++) {
        await world.advance(40);
        peer.send('x');
        await world.settle();
        await world.advance(40);
        bev.write('y');
        await world.settle();
      }
      expect(world.log.filter((line) => line.includes('timeout'))).toEqual([]);
      await world.advance(50);
      expect(count(world.log, 'server timeout idle')).toBe(1);
      expect([...bev.enabled].sort()).toEqual(['read', 'write']);
      await world.advance(500);
      expect(count(world.log, 'server timeout idle')).toBe(1);
      expect(bev.freed).toBe(false);
    });

    it('B44: an idle connection that is pulled from rejects the pull by the name of the time-out', async () => {
      const { bev } = await world.accepted({});
      bev.setTimeouts({ idleMs: 50 });
      const pull = bev.read(3).catch((error: unknown) => error);
      await world.advance(50);
      const error = await Promise.race([pull, turns().then(() => 'nothing')]);
      expect(error).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'idle' });
    });

    it('B44: a time-out and bytes of the same moment are told in the order read, time-out', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setTimeouts({ readMs: 50, idleMs: 5000 });
      await world.advance(49);
      peer.send('just in time');
      await world.settle();
      await world.advance(1);
      expect(world.log).toEqual(['server read 12']);
    });

    it('TO-7: no time-out fires after free', async () => {
      const { bev } = await world.accepted(world.record('server'));
      bev.setTimeouts({ readMs: 50, writeMs: 50, idleMs: 50 });
      bev.free();
      await world.advance(500);
      expect(world.log).toEqual([]);
    });
  });

  onEveryBackend((world) => {
    it('B56: without a clock of its own a base follows the time of the system', async () => {
      const base = new EventBase({ backend: world.backend });
      const listener = await world.listen({}, { base });
      const start = performance.now();
      const bev = world.keep(await world.connect(listener, world.record('client'), { base }));
      bev.setTimeouts({ readMs: 30 });
      await world.until(() => world.log.includes('client timeout read'), 'the time-out');
      expect(performance.now() - start).toBeGreaterThanOrEqual(29);
      await base[Symbol.asyncDispose]();
    });
  });
});

describe('many time-outs', () => {
  inMemory((world) => {
    it('TO-7, B56: each fires at its own time, whatever the order in which they were set, cleared and moved', async () => {
      const fired: string[] = [];
      const durations = Array.from({ length: 60 }, (_, index) => ((index * 37) % 60) + 1);
      const connections = [];
      for (const readMs of durations) {
        const connection = await world.accepted({
          onRead: (bev) => void bev.input.drain(),
          onEvent: () => void fired.push(`${readMs} at ${world.clock.now()}`),
        });
        connections.push({ ...connection, readMs });
      }
      for (const { bev, readMs } of connections) bev.setTimeouts({ readMs });
      await world.settle();
      expect(world.clock.pendingTimers).toBe(1);
      await world.advance(10);
      for (const { bev, peer, readMs } of connections) {
        if (readMs % 3 === 0) bev.setTimeouts({ readMs: 0 });
        if (readMs % 3 === 1) peer.send('x');
      }
      await world.settle();
      await world.advance(100);
      const early = durations.filter((ms) => ms <= 10);
      const moved = durations.filter((ms) => ms > 10 && ms % 3 === 1).map((ms) => [ms, ms + 10] as const);
      const kept = durations.filter((ms) => ms > 10 && ms % 3 === 2).map((ms) => [ms, ms] as const);
      const later = [...moved, ...kept];
      expect(fired.length).toBe(early.length + later.length);
      expect(new Set(fired)).toEqual(
        new Set([...early.map((ms) => [ms, ms] as const), ...later].map(([ms, at]) => `${ms} at ${at}`)),
      );
      expect(world.clock.pendingTimers).toBe(0);
    });
  });
});
