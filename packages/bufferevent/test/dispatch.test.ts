// When handlers run, in which order, and how many in a turn: B1–B12.
import type { Bufferevent, BuffereventEvent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { pattern } from './support/bytes.js';
import { count } from './support/recorder.js';
import { turn } from './support/wait.js';
import { inMemory, onEveryBackend } from './support/world.js';

const cause = (text: string): BuffereventEvent => ({ kind: 'error', direction: 'read', error: new Error(text) });

describe('callbacks are queued', () => {
  onEveryBackend((world) => {
    it('CB-1, CB-6: no handler runs inside a call of the user', async () => {
      let inside = '';
      const violations: string[] = [];
      const watch = (name: string) => (): void => {
        if (inside !== '') violations.push(`${name} inside ${inside}`);
      };
      const handlers = { onRead: watch('onRead'), onWrite: watch('onWrite'), onEvent: watch('onEvent') };
      const { client, server } = await world.pair(handlers, handlers);
      server.write(pattern(100));
      await world.until(() => client.input.length === 100, 'bytes to arrive');
      const calls: Record<string, (bev: Bufferevent) => void> = {
        write: (bev) => bev.write('x'),
        add: (bev) => bev.output.add('x'),
        disable: (bev) => bev.disable('read', 'write'),
        enable: (bev) => bev.enable('read', 'write'),
        drain: (bev) => bev.input.drain(10),
        setWatermarks: (bev) => bev.setWatermarks('read', { low: 1, high: 50 }),
        setTimeouts: (bev) => bev.setTimeouts({ readMs: 60_000 }),
        trigger: (bev) => bev.trigger('read', { ignoreWatermarks: true }),
        triggerWrite: (bev) => bev.trigger('write'),
        triggerEvent: (bev) => bev.triggerEvent({ kind: 'connected' }),
        setHandlers: (bev) => bev.setHandlers(handlers),
        halfClose: (bev) => bev.halfClose(),
        free: (bev) => bev.free(),
      };
      for (const [name, call] of Object.entries(calls)) {
        inside = name;
        call(client);
        inside = '';
        await turn();
      }
      await world.until(() => server.readEnded, 'the end');
      expect(violations).toEqual([]);
    });

    it('CB-1: handlers may call everything of their own connection', async () => {
      const { client } = await world.pair(
        world.record('client', {
          onRead(bev) {
            bev.setWatermarks('read', { high: 2 });
            bev.disable('read');
            bev.enable('read');
            bev.input.drain(bev.input.length);
            bev.write('answer');
            bev.trigger('write', { ignoreWatermarks: true });
          },
        }),
        world.record('server', { onEvent: (bev) => bev.write('never') }),
      );
      client.write('x');
      client.trigger('read', { ignoreWatermarks: true });
      await world.until(() => count(world.log, 'client read 0') === 1, 'the read callback');
      await world.until(() => world.log.some((line) => line === 'server read 7'), 'both texts');
    });
  });
});

describe('order and coalescing', () => {
  inMemory((world) => {
    const ready = () => world.pair({}, {}, { client: { enable: [] } });

    it('CB-2: any number of triggers before a turn is one callback', async () => {
      const { client } = await ready();
      client.setHandlers(world.record('client'));
      for (let index = 0; index < 5; index++) {
        client.trigger('read');
        client.trigger('write');
      }
      await world.settle();
      expect(world.log).toEqual(['client read 0', 'client write']);
    });

    it('CB-2, CB-4, CB-8, EV-5: connected first, then read, write, and the other events singly in order', async () => {
      const { client } = await ready();
      client.setHandlers(world.record('client'));
      client.triggerEvent(cause('first'));
      client.trigger('write');
      client.triggerEvent(cause('second'));
      client.trigger('read');
      client.triggerEvent({ kind: 'eof', direction: 'read' });
      client.triggerEvent({ kind: 'connected' });
      await world.settle();
      expect(world.log).toEqual([
        'client connected',
        'client read 0',
        'client write',
        'client error first read',
        'client error second read',
        'client eof',
      ]);
    });

    it('CB-9: triggerEvent delivers the very object it was given', async () => {
      const { client } = await ready();
      const seen: BuffereventEvent[] = [];
      client.setHandlers({ onEvent: (_, event) => void seen.push(event) });
      const event = cause('mine');
      client.triggerEvent(event);
      await world.settle();
      expect(seen).toHaveLength(1);
      expect(seen[0]).toBe(event);
    });

    it('CB-9: trigger honours the low marks unless told to ignore them', async () => {
      const { client } = await ready();
      client.setHandlers(world.record('client'));
      client.setWatermarks('read', { low: 1 });
      client.trigger('read');
      await world.settle();
      expect(world.log).toEqual([]);
      client.trigger('read', { ignoreWatermarks: true });
      await world.settle();
      expect(world.log).toEqual(['client read 0']);
    });

    it('CB-3: a trigger without a handler leaves nothing pending', async () => {
      const { client } = await ready();
      client.setHandlers(null);
      client.trigger('read');
      client.trigger('write');
      await world.settle();
      client.setHandlers(world.record('client'));
      await world.settle();
      expect(world.log).toEqual([]);
    });

    it('CB-3: a callback whose handler is gone when it is due stays pending', async () => {
      const { client } = await ready();
      client.setHandlers(world.record('old'));
      client.trigger('read');
      client.setHandlers(null);
      await world.settle();
      client.setHandlers(world.record('new'));
      client.trigger('write');
      await world.settle();
      expect(world.log).toEqual(['new read 0', 'new write']);
    });

    it('CB-3, EV-5: a connected event whose handler is gone when it is due stays pending, and comes first', async () => {
      for (const absent of [null, { onRead() {} }]) {
        const { client } = await ready();
        world.log.length = 0;
        client.setHandlers(world.record('old'));
        client.triggerEvent({ kind: 'connected' });
        client.setHandlers(absent);
        await world.settle();
        expect(world.log).toEqual([]);
        client.setHandlers(world.record('new'));
        client.trigger('read');
        await world.settle();
        expect(world.log).toEqual(['new connected', 'new read 0']);
      }
    });

    it('CB-5, FR-1: what is queued is dropped by free (regress I: deferred callback after free)', async () => {
      const { client } = await ready();
      client.setHandlers(world.record('client'));
      client.trigger('read');
      client.trigger('write');
      client.triggerEvent(cause('late'));
      client.free();
      await world.settle();
      expect(world.log).toEqual([]);
    });

    it('CB-5: an event behind the handler that frees is dropped', async () => {
      const { client } = await ready();
      client.setHandlers(world.record('client', { onRead: (bev) => bev.free() }));
      client.trigger('read');
      client.trigger('write');
      client.triggerEvent(cause('late'));
      await world.settle();
      expect(world.log).toEqual(['client read 0']);
    });

    it('B7: new handlers get what is delivered from now on', async () => {
      const { client } = await ready();
      client.setHandlers(world.record('old', { onRead: (bev) => bev.setHandlers(world.record('new')) }));
      client.trigger('read');
      client.trigger('write');
      await world.settle();
      expect(world.log).toEqual(['old read 0', 'new write']);
    });

    it('B9: microtasks of a handler run after its batch, before the next turn', async () => {
      const { client, server } = await ready();
      const order: string[] = [];
      for (const [name, bev] of Object.entries({ first: client, second: server })) {
        bev.setHandlers({
          onRead() {
            order.push(name);
            queueMicrotask(() => order.push(`microtask of ${name}`));
            if (name === 'first') setImmediate(() => order.push('turn'));
          },
        });
        bev.trigger('read');
      }
      await world.settle();
      expect(order).toEqual(['first', 'second', 'microtask of first', 'microtask of second', 'turn']);
    });
  });
});

describe('a turn is bounded', () => {
  const many = 40;

  inMemory(
    (world) => {
      it('CB-7: at most callbacksPerTurn callbacks run in a turn, the others in order in the following ones', async () => {
        const order: number[] = [];
        const perTurn: number[] = [0];
        const connections: Bufferevent[] = [];
        for (let index = 0; index < many / 2; index++) {
          const { client, server } = await world.pair({}, {});
          connections.push(client, server);
        }
        for (const [index, bev] of connections.entries()) {
          bev.setHandlers({
            onRead() {
              order.push(index);
              perTurn[perTurn.length - 1]! += 1;
            },
          });
        }
        await world.settle();
        for (const bev of connections) bev.trigger('read');
        while (order.length < many && perTurn.length < 1000) {
          await turn();
          perTurn.push(0);
        }
        expect(order).toEqual(Array.from({ length: many }, (_, index) => index));
        expect(Math.max(...perTurn)).toBeLessThanOrEqual(8);
        expect(perTurn.filter((callbacks) => callbacks > 0).length).toBeGreaterThanOrEqual(many / 8);
      });

      it('CB-7: a connection that triggers itself for ever starves neither others nor timers', async () => {
        const { client, server } = await world.pair({}, world.record('server'));
        let rounds = 0;
        client.setHandlers({
          onRead(bev) {
            rounds += 1;
            bev.trigger('read');
          },
        });
        client.trigger('read');
        client.write('hello');
        let timer = false;
        setTimeout(() => {
          timer = true;
        }, 1);
        await world.until(() => server.input.length === 5 && timer, 'the neighbour and the timer');
        expect(rounds).toBeGreaterThan(1);
        client.free();
      });
    },
    { callbacksPerTurn: 8 },
  );

  inMemory(
    (world) => {
      it('CB-7: handlers that take long give the loop back after turnTimeMs', async () => {
        let ran = 0;
        const ranAtTurn: number[] = [];
        const connections: Bufferevent[] = [];
        for (let index = 0; index < 10; index++) {
          const { client, server } = await world.pair({}, {});
          connections.push(client, server);
        }
        for (const bev of connections) {
          bev.setHandlers({
            onRead() {
              world.clock.advance(3);
              ran += 1;
            },
          });
        }
        await world.settle();
        for (const bev of connections) bev.trigger('read');
        while (ran < connections.length && ranAtTurn.length < 1000) {
          await turn();
          ranAtTurn.push(ran);
        }
        expect(ran).toBe(connections.length);
        // Two handlers of 3 ms fill a turn of 5 ms.
        expect(Math.max(...ranAtTurn.map((value, index) => value - (ranAtTurn[index - 1] ?? 0)))).toBe(2);
      });
    },
    { turnTimeMs: 5 },
  );
});
