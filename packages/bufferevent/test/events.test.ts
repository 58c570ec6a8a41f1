// The table of events: when each comes, what it disables, what remains. B40–B45.
import { createServer, type Server } from 'node:net';
import type { BuffereventEvent, CloseCause } from 'bufferevent';
import { connect, SocketBufferevent } from 'bufferevent';
import { Operation } from 'bufferevent-backend';
import { withFaults } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { KiB, pattern, same, text } from './support/bytes.js';
import { Collector, count, kinds } from './support/recorder.js';
import { rejection } from './support/wait.js';
import { inBothMemories, inMemory, ipOf, onEveryBackend } from './support/world.js';

/** A port on which nobody listens: it was taken and given back. */
async function deadPort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('connecting', () => {
  onEveryBackend((world) => {
    it('EV-1, EV-2: a refused connection is exactly one event, later, and no data callback', async () => {
      const port = world.isMemory ? 9 : await deadPort();
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.enable('read', 'write');
      bev.write('never');
      bev.connect({ ip: '127.0.0.1', port });
      expect(world.log).toEqual([]);
      await world.until(() => world.log.length > 0, 'the event');
      if (world.isMemory) await world.settle();
      expect(world.log).toEqual(['client error ECONNREFUSED']);
      expect(bev.enabled).toEqual(expect.arrayContaining(['read', 'write']));
      expect(bev.output.length).toBe(5);
      expect(bev.freed).toBe(false);
      const cause = await bev.closed;
      expect(cause).toMatchObject({
        kind: 'error',
        error: { code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port },
      });
      expect((cause as { error: { errno?: number } }).error.errno).toBeLessThan(0);
      bev.free();
    });

    it('EV-1: a failed connect() is one rejection, and no event besides', async () => {
      const port = world.isMemory ? 9 : await deadPort();
      const events: BuffereventEvent[] = [];
      const handlers = { onEvent: (_: unknown, event: BuffereventEvent) => void events.push(event) };
      const error = await rejection(connect({ ip: '127.0.0.1', port }, handlers, { base: world.base }));
      expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port });
      if (world.isMemory) await world.settle();
      expect(events).toEqual([]);
    });

    it('EV-5: connected comes before every other callback, though data was there first', async () => {
      const listener = await world.listen({ onConnection: (bev) => bev.write('greeting') });
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.enable('read');
      bev.write('question');
      bev.connect(ipOf(listener));
      await world.until(() => bev.input.length === 8, 'the greeting');
      expect(world.log[0]).toBe('client connected');
      expect(count(world.log, 'client connected')).toBe(1);
    });

    it('EV-5: a server that writes a text and ends gives it whole to every client, before the end', async () => {
      const words = `${'All the world is a stage, and all the men and women merely players. '.repeat(3)}\0`;
      const listener = await world.listen({
        onConnection(bev) {
          world.keep(bev).write(words);
          void bev.end();
        },
      });
      const texts: string[] = [];
      const client = world.record('client', {
        onEvent(bev, event) {
          if (event.kind === 'eof') texts.push(text(bev.input.remove(bev.input.length)) as string);
        },
      });
      for (let index = 0; index < 2; index++) await world.connect(listener, client);
      await world.until(() => texts.length === 2, 'both ends');
      expect(texts).toEqual([words, words]);
      expect(world.log.filter((line) => /error|timeout/.test(line))).toEqual([]);
    });

    it('EV-5: a connection that stands tells its two ends', async () => {
      const { client, server } = await world.pair({}, {});
      expect(client.address.peer).toEqual(server.address.local);
      expect(server.address.peer).toEqual(client.address.local);
    });
  });
});

describe('the end of the stream', () => {
  onEveryBackend((world) => {
    it('EV-4: the end frees and closes nothing; reading is disabled, writing goes on', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.send('bye');
      peer.end();
      await world.until(() => world.log.includes('server eof'), 'the end');
      expect(bev.freed).toBe(false);
      expect(bev.readEnded).toBe(true);
      expect(bev.writeEnded).toBe(false);
      expect(bev.enabled).toEqual(['write']);
      expect(text(bev.input.remove(3))).toBe('bye');
      bev.write('after all');
      await world.until(() => peer.receivedBytes === 9, 'the answer');
      bev.halfClose();
      await world.until(() => peer.ended, 'our end');
      expect(count(world.log, 'server eof')).toBe(1);
    });

    it('EV-4: enabling reading again after the end tells the end again, and nothing else', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.end();
      await world.until(() => count(world.log, 'server eof') === 1, 'the end');
      bev.enable('read');
      await world.until(() => count(world.log, 'server eof') === 2, 'the end again');
      expect(bev.enabled).toEqual(['write']);
    });

    it('EV-4: half-close carries a request and its answer', async () => {
      const size = world.bytes(200 * KiB);
      const answer = new Collector();
      const { client } = await world.pair(world.record('client', { onRead: answer.take }), {
        onEvent: (bev, event) => {
          if (event.kind !== 'eof') return;
          bev.write(bev.input);
          bev.halfClose();
        },
        onRead() {},
      });
      client.write(pattern(size));
      client.halfClose();
      await world.until(() => world.log.includes('client eof'), 'the end of the answer');
      expect(same(answer.data, pattern(size))).toBe(true);
    });
  });
});

describe('failures', () => {
  onEveryBackend((world) => {
    it('EV-4: a reset is one error; the bytes before it come first, nothing comes after', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.send('last words');
      await world.until(() => bev.input.length === 10, 'the words');
      peer.reset();
      await world.until(() => world.log.some((line) => line.includes('error')), 'the error');
      expect(kinds(world.log)).toEqual(['server read', 'server error ECONNRESET read']);
      expect(bev.freed).toBe(false);
      expect(bev.enabled).not.toContain('read');
      expect(text(bev.input.remove(10))).toBe('last words');
      const cause: CloseCause = await bev.closed;
      expect(cause).toMatchObject({ kind: 'reset', error: { code: 'ECONNRESET' } });
    });

    it('B40: a connection that fails in both directions has one error event', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.stopReading();
      bev.write(new Uint8Array(8 * 1024 * KiB));
      await world.until(() => bev.output.length < 8 * 1024 * KiB, 'a send in flight');
      peer.reset();
      await world.until(() => world.log.some((line) => line.includes('error')), 'the error');
      if (world.isMemory) await world.settle();
      expect(world.log.filter((line) => line.includes('error'))).toHaveLength(1);
      expect((await bev.closed).kind).toBe('reset');
    });
  });

  inBothMemories((world) => {
    it('EV-4: errors are delivered after the bytes that were read before them', async () => {
      const collector = new Collector();
      const order: string[] = [];
      const { bev, peer } = await world.accepted({
        onRead: collector.take,
        onEvent: () => void order.push(`event after ${collector.bytes}`),
      });
      peer.send(pattern(500));
      await world.until(() => peer.unsentBytes === 0, 'the bytes on their way');
      peer.reset();
      await world.until(() => order.length > 0, 'the error');
      await world.settle();
      expect(order).toEqual(['event after 500']);
      bev.free();
    });
  });

  inMemory((world) => {
    it('B40: a send that completes after receiving has failed is not told any more', async () => {
      const failing = { operation: Operation.recv, nth: 2, error: 'ECONNRESET' } as const;
      const base = world.newBase({ backend: withFaults(world.plain, { errors: [failing] }) });
      const { bev, peer } = await world.accepted(world.record('server'), { base });
      peer.stopReading();
      bev.write(pattern(20 * KiB));
      await world.settle();
      peer.send('x');
      await world.settle();
      expect(world.log).toEqual(['server read 1', 'server error ECONNRESET read']);
      peer.readOn();
      await world.settle();
      expect(world.log).toEqual(['server read 1', 'server error ECONNRESET read']);
    });

    it('B40: nothing is delivered after an error', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.reset();
      await world.settle();
      bev.enable('read', 'write');
      bev.write('x');
      await world.settle();
      bev.disable('write');
      bev.enable('write');
      await world.settle();
      expect(world.log).toEqual(['server error ECONNRESET read']);
    });

    it('EV-5: the name of an error event is the failure of the system, with its number and call', async () => {
      const events: BuffereventEvent[] = [];
      const { peer } = await world.accepted({ onRead() {}, onEvent: (_, event) => void events.push(event) });
      peer.reset();
      await world.settle();
      expect(events).toHaveLength(1);
      expect(events[0]).toMatchObject({
        kind: 'error',
        direction: 'read',
        error: { code: 'ECONNRESET', syscall: 'read' },
      });
    });
  });
});
