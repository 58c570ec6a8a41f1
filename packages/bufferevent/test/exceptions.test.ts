// A handler that throws: one uncaught exception, everybody else is served. B10.
import type { Bufferevent, SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { gatherUncaught } from './support/uncaught.js';
import { inMemory, onEveryBackend } from './support/world.js';

describe('an exception of a handler', () => {
  onEveryBackend((world) => {
    for (const kind of ['onRead', 'onWrite', 'onEvent'] as const) {
      it(`B10: thrown in ${kind} surfaces once, and the connection and its neighbour go on`, async () => {
        const { client, server } = await world.pair({}, {});
        const other = await world.pair({ onRead() {} }, {});
        let calls = 0;
        const failure = new Error(`thrown in ${kind}`);
        client.setHandlers({
          [kind]() {
            calls += 1;
            if (calls === 1) throw failure;
          },
        });
        const act: Record<typeof kind, () => void> = {
          onRead: () => client.trigger('read'),
          onWrite: () => client.trigger('write'),
          onEvent: () => client.triggerEvent({ kind: 'connected' }),
        };
        const errors = await gatherUncaught(async (surfaced) => {
          act[kind]();
          other.server.write('for the neighbour');
          await world.until(() => calls === 1 && surfaced.length > 0, 'the exception');
          await world.until(() => other.client.input.length === 17, 'the neighbour to be served');
          act[kind]();
          await world.until(() => calls === 2, 'the next callback');
        });
        expect(errors).toEqual([failure]);
        expect(client.freed).toBe(false);
        expect(client.enabled).toContain('write');
        client.write('still usable');
        const received = await server.read(12);
        expect(received?.length).toBe(12);
      });
    }

    it('B10: thrown in onConnection surfaces once, and the listener accepts on', async () => {
      const accepted: SocketBufferevent[] = [];
      const failure = new Error('thrown in onConnection');
      const errors = await gatherUncaught(async (surfaced) => {
        const listener = await world.listen({
          onConnection(bev) {
            accepted.push(world.keep(bev));
            if (accepted.length === 1) throw failure;
          },
        });
        world.dial(listener);
        world.dial(listener);
        await world.until(() => accepted.length === 2 && surfaced.length > 0, 'both connections');
      });
      expect(errors).toEqual([failure]);
    });
  });

  inMemory((world) => {
    it('B10: the rest of the batch is delivered before it surfaces, and each exception surfaces', async () => {
      const order: string[] = [];
      const connections: Bufferevent[] = [];
      for (let index = 0; index < 2; index++) {
        const { client, server } = await world.pair({}, {});
        connections.push(client, server);
      }
      for (const [index, bev] of connections.entries()) {
        bev.setHandlers({
          onRead() {
            order.push(`callback ${index}`);
            if (index % 2 === 0) throw new Error(`failure ${index}`);
          },
        });
      }
      const gather = (error: Error): void => void order.push(error.message);
      const errors = await gatherUncaught(async () => {
        process.on('uncaughtException', gather);
        for (const bev of connections) bev.trigger('read');
        await world.settle();
        process.off('uncaughtException', gather);
      });
      expect(errors.map((error) => (error as Error).message)).toEqual(['failure 0', 'failure 2']);
      expect(order).toEqual(['callback 0', 'callback 1', 'callback 2', 'callback 3', 'failure 0', 'failure 2']);
    });

    it('B10: thrown in a watch of input surfaces once, and the connection goes on', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      let calls = 0;
      const failure = new Error('thrown in a watch');
      bev.input.watch(() => {
        calls += 1;
        if (calls === 1) throw failure;
      });
      const errors = await gatherUncaught(async () => {
        peer.send('one');
        await world.settle();
        peer.send(' two');
        await world.settle();
      });
      expect(errors).toEqual([failure]);
      expect(bev.input.length).toBe(7);
      expect(world.log.at(-1)).toBe('server read 7');
    });

    it('B11: a watch may free its connection, drain it or write to it', async () => {
      const drained = await world.accepted(world.record('server'));
      drained.bev.input.watch((input, { added }) => {
        if (added > 0) input.drain(input.length);
      });
      drained.peer.send('gone');
      await world.settle();
      drained.peer.send('gone, too');
      await world.settle();
      expect(drained.bev.input.length).toBe(0);
      expect(world.log, 'onRead is not called for bytes that are gone').toEqual([]);
      const freed = await world.accepted(world.record('server'));
      freed.bev.input.watch(() => freed.bev.free());
      freed.peer.send('the end');
      await world.settle();
      expect(freed.bev.freed).toBe(true);
      const writing = await world.accepted(world.record('server'));
      let more = 0;
      writing.bev.output.watch((_, { removed }) => {
        if (removed > 0 && more++ < 3) writing.bev.write('more');
      });
      writing.bev.write('first');
      await world.settle();
      expect(writing.peer.received.toString()).toBe('firstmoremoremore');
    });

    it('LI-4: thrown in onListenerError surfaces once, and the listener accepts on', async () => {
      let accepted = 0;
      const failure = new Error('thrown in onListenerError');
      const errors = await gatherUncaught(async () => {
        const listener = await world.listen({
          onConnection(bev) {
            world.keep(bev);
            accepted += 1;
          },
          onListenerError() {
            throw failure;
          },
        });
        world.dial(listener);
        world.network.descriptorLimit = 2;
        await world.settle();
        world.network.descriptorLimit = Number.POSITIVE_INFINITY;
        await world.advance(10_000);
      });
      expect(errors).toEqual([failure]);
      expect(accepted).toBe(1);
    });
  });
});
