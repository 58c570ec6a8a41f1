// A listener at awkward moments: closed, disabled, aborted or disposed of while something is on its way. B67, B80–B87.
import { getEventListeners } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventBase, type Listener, type LookupAddress, listen, type SocketBufferevent } from 'bufferevent';
import { Operation } from 'bufferevent-backend';
import { withFaults } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { sockets } from './support/system-backends.js';
import { gatherUncaught } from './support/uncaught.js';
import { rejection, turn, turns } from './support/wait.js';
import { inMemory, inWorlds, ipOf, onEveryBackend } from './support/world.js';

describe('closing and disposing', () => {
  it('B67: disposing of a base over sockets while connections are being accepted raises nothing', async () => {
    const errors = await gatherUncaught(async () => {
      for (let round = 0; round < 40; round++) {
        const base = new EventBase();
        const listener = await listen({ ip: '127.0.0.1', port: 0 }, { onRead() {} }, { base });
        const { ip, port } = ipOf(listener);
        const sockets: Socket[] = [];
        for (let index = 0; index < 12; index++) sockets.push(dial({ host: ip, port }).on('error', () => {}));
        await turns(round % 8);
        if (round % 3 === 0) void listener.close();
        await base[Symbol.asyncDispose]();
        expect(base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0 });
        await turns(2);
        for (const socket of sockets) socket.destroy();
      }
    });
    expect(errors).toEqual([]);
  });

  inMemory((world) => {
    it('LI-4: no onListenerError is called after close(), although the error was there before', async () => {
      const error = { operation: Operation.accept, nth: 1, error: 'EMFILE' } as const;
      const base = world.newBase({ backend: withFaults(world.plain, { errors: [error] }) });
      let listener: Listener | null = null;
      // A connection of the same base whose callback is due in the turn that brings the error, and before it.
      const near = await world.pair({}, {}, { client: { base }, server: { base: world.base } });
      near.client.setHandlers({ onRead: () => void listener?.close() });
      listener = await world.listen({ onListenerError: () => void world.log.push('error') }, { base });
      near.client.trigger('read');
      await world.settle();
      expect(world.log).toEqual([]);
      expect(base.stats().port.listeners).toBe(0);
    });

    it('LI-6: an error that comes while there are no handlers waits for the next ones', async () => {
      const error = { operation: Operation.accept, nth: 1, error: 'EMFILE' } as const;
      const base = world.newBase({ backend: withFaults(world.plain, { errors: [error] }) });
      const listener = await world.listen({ onListenerError: () => void world.log.push('first') }, { base });
      listener.setHandlers(null);
      await world.settle();
      expect(world.log).toEqual([]);
      listener.setHandlers({
        onListenerError: (reason) => void world.log.push(`second ${(reason as { code?: string }).code}`),
      });
      await world.settle();
      expect(world.log).toEqual(['second EMFILE']);
    });

    it('B87: enable() after close() does nothing', async () => {
      const listener = await world.listen({ onConnection: () => void world.log.push('accepted') });
      const closed = listener.close();
      listener.enable();
      expect(listener.enabled).toBe(false);
      await closed;
      listener.enable();
      listener.disable();
      listener.setHandlers({});
      await world.settle();
      expect(listener.enabled).toBe(false);
      expect(world.base.stats().port.listeners).toBe(0);
    });
  });

  inWorlds(['memory', ...sockets], (world) => {
    it('B67: disposing of the base while listen() is under way rejects it', async () => {
      const base = world.newBase();
      const listening = rejection(world.listen({}, { base }));
      await base[Symbol.asyncDispose]();
      expect(await listening).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
    });

    it('B67: also when the lookup never answers', async () => {
      const base = world.newBase({ lookup: () => new Promise(() => {}) });
      const outcome = rejection(listen({ host: 'example.test', port: 0 }, {}, { base }));
      await turn();
      await base[Symbol.asyncDispose]();
      expect(await outcome).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
    });

    it('B67: and so it does while the name is being looked up', async () => {
      let answer: (addresses: LookupAddress[]) => void = () => {};
      const lookup = () =>
        new Promise<LookupAddress[]>((resolve) => {
          answer = resolve;
        });
      const base = world.newBase({ lookup });
      const listening = rejection(listen({ host: 'example.test', port: 0 }, {}, { base }));
      await base[Symbol.asyncDispose]();
      answer([{ address: '127.0.0.1', family: 4 }]);
      expect(await listening).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
    });
  });
});

describe('disabling', () => {
  inMemory((world) => {
    it('LI-2: while the last connection it may accept is arriving, a later disable() still stops at once', async () => {
      for (let after = 0; after < 14; after++) {
        const base = world.newBase({ backend: withFaults(world.plain, { delay: 4 }) });
        const accepted: SocketBufferevent[] = [];
        const listener = await world.listen(
          { onConnection: (bev) => void accepted.push(world.keep(bev)) },
          { base, maxConnections: 1 },
        );
        world.dial(listener);
        await turns(after);
        listener.disable();
        await world.settle();
        listener.enable();
        await world.until(() => accepted.length === 1, 'the first connection');
        accepted[0]?.free();
        await world.settle();
        listener.disable();
        await world.settle();
        world.dial(listener);
        await world.settle();
        expect(base.stats().port.streams, `disabled after ${after} turns`).toBe(0);
        listener.enable();
        await world.until(() => accepted.length === 2, 'the second connection');
        accepted[1]?.free();
        await listener.close();
      }
    });
  });
});

describe('the budget of a turn', () => {
  inMemory(
    (world) => {
      it('CB-7: at most callbacksPerTurn connections are handed out in one turn', async () => {
        const perTurn: number[] = [0];
        let accepted = 0;
        const listener = await world.listen(
          {
            onConnection(bev) {
              world.keep(bev);
              accepted += 1;
              perTurn[perTurn.length - 1]! += 1;
            },
          },
          { disabled: true },
        );
        const many = 40;
        for (let index = 0; index < many; index++) world.dial(listener);
        await world.settle();
        expect(accepted).toBe(0);
        listener.enable();
        while (accepted < many && perTurn.length < 1000) {
          await turn();
          perTurn.push(0);
        }
        expect(accepted).toBe(many);
        expect(Math.max(...perTurn)).toBeLessThanOrEqual(8);
      });
    },
    { callbacksPerTurn: 8 },
  );
});

describe('the signal of listen()', () => {
  const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

  onEveryBackend((world) => {
    it('B87: it is let go of when the listener is closed', async () => {
      const { signal } = new AbortController();
      const first = await world.listen({}, { signal });
      const second = await listen({ host: '127.0.0.1', port: 0 }, {}, { base: world.base, signal });
      expect(listeners(signal)).toBe(2);
      await first.close();
      await second.close();
      await turn();
      expect(listeners(signal)).toBe(0);
    });

    it('B85: and when listening has failed', async () => {
      const { signal } = new AbortController();
      const taken = await world.listen({});
      await rejection(listen(ipOf(taken), {}, { base: world.base, signal }));
      await world.until(() => listeners(signal) === 0, 'the signal to be let go of');
    });
  });

  inMemory((world) => {
    it('B85: aborted during the lookup it rejects with the reason at once', async () => {
      const base = world.newBase({ lookup: () => new Promise(() => {}) });
      const controller = new AbortController();
      const outcome = listen({ host: 'example.test', port: 0 }, {}, { base, signal: controller.signal }).catch(
        (error: unknown) => error,
      );
      await world.settle();
      const reason = new Error('changed my mind');
      controller.abort(reason);
      expect(await Promise.race([outcome, turns(3).then(() => 'nothing')])).toBe(reason);
      expect(base.stats().port).toMatchObject({ listeners: 0, pending: 0 });
    });

    it('B85: an answer of the lookup that comes after the abort is not listened on', async () => {
      let answer: (addresses: LookupAddress[]) => void = () => {};
      const lookup = () =>
        new Promise<LookupAddress[]>((resolve) => {
          answer = resolve;
        });
      const base = world.newBase({ lookup });
      const controller = new AbortController();
      const listening = rejection(listen({ host: 'example.test', port: 0 }, {}, { base, signal: controller.signal }));
      await world.settle();
      controller.abort();
      answer([{ address: '127.0.0.1', family: 4 }]);
      expect(await listening).toMatchObject({ name: 'AbortError' });
      await world.settle();
      expect(base.stats().port).toMatchObject({ listeners: 0, pending: 0 });
      expect(listeners(controller.signal)).toBe(0);
    });

    it('B85: an answer of the lookup that comes just before the abort is not listened on either', async () => {
      for (let steps = 0; steps < 12; steps++) {
        let answer: (addresses: LookupAddress[]) => void = () => {};
        const found = new Promise<LookupAddress[]>((resolve) => {
          answer = resolve;
        });
        const base = world.newBase({ lookup: () => found });
        const controller = new AbortController();
        const { signal } = controller;
        const outcome = listen({ host: 'example.test', port: 0 }, {}, { base, signal }).then(
          () => `listening, aborted: ${signal.aborted}`,
          (error: Error) => error.name,
        );
        await world.settle();
        answer([{ address: '127.0.0.1', family: 4 }]);
        for (let step = 0; step < steps; step++) await null;
        controller.abort();
        expect(await outcome, `aborted after ${steps} steps`).toBe('AbortError');
        await world.settle();
        expect(base.stats().port).toMatchObject({ listeners: 0, pending: 0 });
        expect(listeners(signal)).toBe(0);
      }
    });

    it('B85: nothing is listened on when a look for a stale socket was over just before the abort', async () => {
      const path = join(tmpdir(), 'bufferevent-no-such.sock');
      for (let steps = 0; steps < 12; steps++) {
        const base = world.newBase();
        const controller = new AbortController();
        const { signal } = controller;
        const outcome = rejection(listen({ path }, {}, { base, signal, unlinkStale: true }));
        for (let step = 0; step < steps; step++) await null;
        controller.abort();
        expect(await outcome, `aborted after ${steps} steps`).toMatchObject({ name: 'AbortError' });
        await world.settle();
        expect(base.stats().port).toMatchObject({ listeners: 0, pending: 0 });
      }
    });
  });
});
