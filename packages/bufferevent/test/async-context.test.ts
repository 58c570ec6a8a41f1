// In which async context handlers and continuations run: B8.
import { AsyncLocalStorage, createHook, executionAsyncId } from 'node:async_hooks';
import { type Bufferevent, listen, type SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { inMemory, ipOf, onEveryBackend } from './support/world.js';

const tenant = new AsyncLocalStorage<string>();

describe('handlers run where they were set', () => {
  onEveryBackend((world) => {
    it('B8: two tenants never mix', async () => {
      const mixed: string[] = [];
      const done = new Set<string>();
      const check = (wanted: string, where: string): void => {
        const store = tenant.getStore();
        if (store !== wanted) mixed.push(`${where} of ${wanted} ran in ${store}`);
      };
      const server = await tenant.run('server', () =>
        listen(
          { ip: '127.0.0.1', port: 0 },
          {
            onConnection(bev) {
              world.keep(bev);
              check('server', 'onConnection');
            },
            onRead(bev) {
              check('server', 'onRead');
              bev.write(bev.input);
            },
            onEvent: () => check('server', 'onEvent'),
            onWrite: () => check('server', 'onWrite'),
          },
          { base: world.base },
        ),
      );
      const names = ['red', 'green', 'blue', 'grey'];
      for (const name of names) {
        await tenant.run(name, async () => {
          const bev = await world.connect(server, {
            onRead(at) {
              check(name, 'onRead');
              if (at.input.length >= 2000) done.add(name);
            },
            onWrite: () => check(name, 'onWrite'),
            onEvent: () => check(name, 'onEvent'),
          });
          check(name, 'await connect');
          bev.write(Buffer.alloc(2000, name));
          void bev.drained().then(() => check(name, 'await drained'));
        });
      }
      await world.until(() => done.size === names.length, 'all echoes');
      expect(mixed).toEqual([]);
      expect(tenant.getStore()).toBeUndefined();
    });

    it('B8: pulls continue in the context of their caller', async () => {
      const { client, server } = await world.pair({}, {});
      const contexts: Array<string | undefined> = [];
      const reader = async (bev: Bufferevent): Promise<void> => {
        await bev.read(1);
        contexts.push(tenant.getStore());
        for await (const _ of bev) contexts.push(tenant.getStore());
      };
      const readers = [tenant.run('left', () => reader(client)), tenant.run('right', () => reader(server))];
      client.write('xy');
      server.write('xy');
      client.halfClose();
      server.halfClose();
      await Promise.all(readers);
      expect(contexts.filter((context) => context === 'left')).toHaveLength(contexts.length / 2);
      expect(new Set(contexts)).toEqual(new Set(['left', 'right']));
    });
  });

  inMemory((world) => {
    it('B8: handlers set later run where they were set later', async () => {
      const { client } = await tenant.run('old', () => world.pair({}, {}));
      const seen: Array<string | undefined> = [];
      const onRead = (): void => void seen.push(tenant.getStore());
      tenant.run('new', () => client.setHandlers({ onRead }));
      tenant.run('caller', () => client.trigger('read'));
      await world.settle();
      client.setHandlers({ onRead });
      client.trigger('read');
      await world.settle();
      expect(seen).toEqual(['new', undefined]);
    });

    it('B8: connections of one listener that have something to say in one turn are served in one entry of its context', async () => {
      const seen: Array<string | undefined> = [];
      const accepted: SocketBufferevent[] = [];
      const contexts: number[] = [];
      const onRead = (): void => {
        seen.push(tenant.getStore());
        contexts.push(executionAsyncId());
      };
      const listener = await tenant.run('server', () =>
        world.listen({ onConnection: (bev) => void accepted.push(world.keep(bev)), onRead }),
      );
      for (let count = 0; count < 3; count++) await world.connect(listener, {});
      await world.until(() => accepted.length === 3, 'the connections');
      const other = await tenant.run('other', () => world.connect(listener, { onRead }));
      await world.until(() => accepted.length === 4, 'the last connection');
      const entered: number[] = [];
      const hook = createHook({ before: (id) => void entered.push(id) });
      for (const bev of [...accepted.slice(0, 3), other, accepted[3] as SocketBufferevent]) bev.trigger('read');
      hook.enable();
      await world.settle();
      hook.disable();
      expect(seen).toEqual(['server', 'server', 'server', 'other', 'server']);
      const [server, , , client] = contexts;
      expect(entered.filter((id) => contexts.includes(id))).toEqual([server, client, server]);
    });

    it('B8: time-outs and failures are told in the context of the handlers', async () => {
      const seen: Array<string | undefined> = [];
      const { bev, peer } = await tenant.run('mine', () =>
        world.accepted({ onRead() {}, onEvent: () => void seen.push(tenant.getStore()) }),
      );
      tenant.run('other', () => bev.setTimeouts({ readMs: 50 }));
      await tenant.run('clock', () => world.advance(50));
      bev.enable('read');
      tenant.run('peer', () => peer.reset());
      await world.settle();
      expect(seen).toEqual(['mine', 'mine']);
    });
  });

  inMemory(
    (world) => {
      it('B8: a base without async context runs handlers, in a context of nobody it could name', async () => {
        const seen: Array<string | undefined> = [];
        const accepted: SocketBufferevent[] = [];
        const listener = await world.listen({ onConnection: (bev) => void accepted.push(world.keep(bev)) });
        const bev = await tenant.run('mine', () =>
          world.connect(listener, { onRead: () => void seen.push(tenant.getStore()) }),
        );
        await world.until(() => accepted.length === 1, 'the connection');
        accepted[0]?.write('hello');
        await world.until(() => bev.input.length === 5, 'bytes');
        await world.settle();
        expect(seen).toHaveLength(1);
        expect(seen[0]).not.toBe('mine');
        expect(ipOf(listener).port).toBeGreaterThan(0);
      });
    },
    { asyncContext: false },
  );
});
