// Layers that are put under a connection while it is used: nothing is lost, nothing is mixed up, the object stays.
import { getEventListeners } from 'node:events';
import { type Bufferevent, connect, type Layer, SocketBufferevent } from 'bufferevent';
import { ToyLayer } from 'bufferevent/compliance';
import { describe, expect, it } from 'vitest';
import { contents, KiB, pattern, same, text } from './support/bytes.js';
import { inEveryFlavour, type OpenFlavour } from './support/flavours.js';
import { sockets } from './support/system-backends.js';
import { gatherUncaught } from './support/uncaught.js';
import { rejection, turn } from './support/wait.js';
import { inWorlds, ipOf, onEveryBackend } from './support/world.js';

/** Everything until the end. */
async function rest(bev: Bufferevent): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bev) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function exactly(bev: Bufferevent, count: number): Promise<Uint8Array> {
  return (await bev.read(count)) as Uint8Array;
}

describe('a layer inserted at birth', () => {
  onEveryBackend((world) => {
    it('shakes hands after connect(), and carries what was written before it (WR-5)', async () => {
      const listener = await world.listen({
        onConnection(bev) {
          world.keep(bev);
          void bev.insertLayer(new ToyLayer());
        },
        onRead: (bev) => void bev.write(bev.input),
        onEvent: (bev, event) => {
          world.log.push(`server ${event.kind}`);
          if (event.kind === 'eof') void bev.end();
        },
      });
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      const layer = new ToyLayer({ name: 'client' });
      const opened = bev.insertLayer(layer);
      bev.write('written before connect');
      expect(bev.layers).toEqual([layer]);
      bev.connect(ipOf(listener));
      await opened;
      expect(text(await exactly(bev, 22))).toBe('written before connect');
      expect(await bev.end()).toEqual({ kind: 'clean' });
      expect(world.log.filter((line) => line === 'client connected')).toHaveLength(1);
      expect(world.log).toContain('server connected');
      expect(layer.calls).toMatchObject({ attach: 1, end: 1, free: 1 });
    });

    it('and connected comes once, before the data (EV-5)', async () => {
      const listener = await world.listen({
        onConnection(bev) {
          world.keep(bev);
          void bev.insertLayer(new ToyLayer());
          bev.write('hello');
        },
      });
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      void bev.insertLayer(new ToyLayer());
      bev.enable('read');
      bev.connect(ipOf(listener));
      await world.until(() => bev.input.length === 5, 'the hello');
      await world.until(() => world.log.length >= 2, 'the callbacks');
      expect(world.log[0]).toBe('client connected');
      expect(world.log[1]).toMatch(/^client read/);
      expect(world.log.filter((line) => line === 'client connected')).toHaveLength(1);
    });
  });
});

describe('layers of connect()', () => {
  onEveryBackend((world) => {
    it('are open when it resolves (B92)', async () => {
      const listener = await world.listen({
        onConnection: (bev) => void world.keep(bev).insertLayer(new ToyLayer()),
        onRead: (bev) => void bev.write(bev.input),
      });
      const layer = new ToyLayer();
      const bev = await world.connect(listener, world.record('client'), { layers: [layer] });
      expect(layer.calls.handshake).toBeGreaterThan(0);
      bev.write('hello');
      expect(text(await exactly(bev, 5))).toBe('hello');
    });

    it('make it reject when the peer ends in the handshake, and nothing is left open', async () => {
      const listener = await world.listen({
        onConnection: (bev) => void world.keep(bev).end(),
      });
      const layer = new ToyLayer();
      const error = await rejection(world.connect(listener, world.record('client'), { layers: [layer] }));
      expect(error.code).toMatch(/^(ERR_BUFFEREVENT_UNEXPECTED_END|ECONNRESET)$/);
      await world.until(() => layer.calls.free === 1, 'the layer to be freed');
      expect(world.log).toEqual([]);
    });
  });

  inWorlds(['memory'], (world) => {
    it('make it reject when a handshake takes too long (B92)', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const connecting = world.connect(listener, {}, { layers: [new ToyLayer({ handshakeMs: 100 })] });
      const outcome = rejection(connecting);
      await world.settle();
      await world.advance(100);
      expect(await outcome).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'handshake' });
    });

    it('B67: make it reject when the base is disposed of in the handshake', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const base = world.newBase();
      const { signal } = new AbortController();
      const connecting = connect(ipOf(listener), world.record('client'), { base, signal, layers: [new ToyLayer()] });
      const outcome = rejection(connecting);
      await world.settle();
      expect(base.stats().port.streams).toBe(1);
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      await base[Symbol.asyncDispose]();
      expect(await outcome).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
      expect(getEventListeners(signal, 'abort')).toEqual([]);
      expect(world.log).toEqual([]);
    });

    it('FR-2: make it reject when a handler frees the connection in the handshake', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const { signal } = new AbortController();
      const layer = new ToyLayer();
      const connecting = world.connect(
        listener,
        { onEvent: (bev) => bev.free() },
        { layers: [layer], signal, timeouts: { idleMs: 50 } },
      );
      const outcome = rejection(connecting);
      await world.settle();
      await world.advance(50);
      expect(await outcome).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      expect(getEventListeners(signal, 'abort')).toEqual([]);
      expect(layer.calls.free).toBe(1);
    });

    it('B61: make it reject when end() in the handshake is given up', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const connecting = world.connect(
        listener,
        { onEvent: (bev) => void bev.end() },
        { layers: [new ToyLayer()], timeouts: { idleMs: 50, closeMs: 100 } },
      );
      const outcome = rejection(connecting);
      await world.settle();
      await world.advance(200);
      expect(await outcome).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'close' });
    });

    it('B74: make it reject with the reason of a signal that is aborted in the handshake', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const controller = new AbortController();
      const reason = new Error('changed my mind');
      const connecting = world.connect(listener, {}, { layers: [new ToyLayer()], signal: controller.signal });
      const outcome = rejection(connecting);
      await world.settle();
      controller.abort(reason);
      expect(await outcome).toBe(reason);
    });

    it('throw what their attach throws, and nothing is connected', async () => {
      const listener = await world.listen({});
      const refusal = new Error('not here');
      const layer = new ToyLayer({
        onCall: () => {
          throw refusal;
        },
      });
      expect(() => world.connect(listener, {}, { layers: [layer] })).toThrow(refusal);
      await world.settle();
      expect(world.base.stats().port.streams).toBe(0);
    });
  });
});

inEveryFlavour((flavour: OpenFlavour) => {
  const { world } = flavour;
  const size = flavour.name.startsWith('filters') ? 20 * KiB : world.bytes(300 * KiB);

  it('what was written before a layer leaves unchanged, in front of its first byte', async () => {
    const { near, far } = await flavour.connect();
    const plain = pattern(size, 1);
    const secret = pattern(size, 2);
    near.write(plain);
    await turn(); // A send is in flight.
    const opened = near.insertLayer(new ToyLayer());
    near.write(secret);
    expect(same(await exactly(far, size), plain)).toBe(true);
    expect(near.layers.at(-1)?.name).toBe('toy');
    void far.insertLayer(new ToyLayer(), { surplus: 'decode' });
    await opened;
    expect(same(await exactly(far, size), secret)).toBe(true);
    far.write('answer');
    expect(text(await exactly(near, 6))).toBe('answer');
    const ends = [near.end(), far.end()];
    expect(await Promise.all(ends)).toEqual([{ kind: 'clean' }, { kind: 'clean' }]);
  });

  it('the object keeps its handlers, marks, limits and what is enabled', async () => {
    const { near, far } = await flavour.connect();
    const handlers = world.record('near');
    near.setHandlers(handlers);
    near.setWatermarks('read', { low: 3, high: 100 });
    near.setWatermarks('write', { low: 5, high: 50 });
    near.enable('read');
    near.context = 'mine';
    void near.insertLayer(new ToyLayer());
    void far.insertLayer(new ToyLayer());
    expect(near.handlers).toBe(handlers);
    expect(near.context).toBe('mine');
    expect(near.getWatermarks('read')).toEqual({ low: 3, high: 100 });
    expect(near.getWatermarks('write')).toEqual({ low: 5, high: 50 });
    expect(near.enabled).toEqual(['read', 'write']);
    far.write('12');
    far.write(pattern(world.bytes(2000)));
    await world.until(() => near.input.length >= 100, 'a full input');
    // At most one frame above the mark.
    for (let index = 0; index < 10; index++) await turn();
    expect(near.input.length).toBeLessThanOrEqual(100 + 1000);
    expect(near.write(pattern(51))).toBe(false);
    expect(world.log[0]).toBe('near connected');
  });

  it('two layers one after the other: what is written in between passes through the first only', async () => {
    const { near, far } = await flavour.connect();
    const count = world.bytes(5000);
    const parts = [1, 2, 3].map((seed) => pattern(count, seed)) as [Uint8Array, Uint8Array, Uint8Array];
    near.write(parts[0]);
    const outer = near.insertLayer(new ToyLayer({ name: 'outer', mask: 0x11 }));
    near.write(parts[1]);
    const inner = near.insertLayer(new ToyLayer({ name: 'inner', mask: 0x2c }));
    near.write(parts[2]);
    expect(near.layers.slice(-2).map(({ name }) => name)).toEqual(['outer', 'inner']);
    expect(same(await exactly(far, count), parts[0])).toBe(true);
    void far.insertLayer(new ToyLayer({ mask: 0x11 }), { surplus: 'decode' });
    expect(same(await exactly(far, count), parts[1])).toBe(true);
    await outer;
    void far.insertLayer(new ToyLayer({ mask: 0x2c }), { surplus: 'decode' });
    expect(same(await exactly(far, count), parts[2])).toBe(true);
    await inner;
    far.write('back');
    expect(text(await exactly(near, 4))).toBe('back');
    const received = rest(far);
    expect(await Promise.all([near.end(), far.end(), received])).toMatchObject([
      { kind: 'clean' },
      { kind: 'clean' },
      { length: 0 },
    ]);
  });

  it('while writing is disabled nothing leaves, and afterwards everything in order (B37)', async () => {
    const { near, far } = await flavour.connect();
    near.disable('write');
    near.write('plain');
    void near.insertLayer(new ToyLayer());
    near.write('secret');
    for (let index = 0; index < 10; index++) await turn();
    near.enable('write');
    expect(text(await exactly(far, 5))).toBe('plain');
    void far.insertLayer(new ToyLayer(), { surplus: 'decode' });
    expect(text(await exactly(far, 6))).toBe('secret');
  });
});

/** Puts `mark` in front of every byte; what it decodes stays as it is. */
function marking(mark: string): Layer {
  return {
    name: `marks with ${mark}`,
    decode: (source, target, limit) => (source.moveTo(target, limit) > 0 ? 'ok' : 'need-more'),
    encode(source, target) {
      if (source.length === 0) return 'need-more';
      target.add(marked(text(source.remove(source.length)) as string, mark));
      return 'ok';
    },
  };
}

function marked(plain: string, mark: string): string {
  return plain.replaceAll(/./g, `${mark}$&`);
}

describe('a watch of the output that flushes while bytes leave', () => {
  inEveryFlavour((flavour) => {
    const { world } = flavour;

    /** What the far end, which has no layers, gets when `act` has used the near one. */
    async function arrives(act: (near: Bufferevent) => void, expected: string): Promise<void> {
      const { near, far } = await flavour.connect();
      let flushes = 0;
      const uncaught = await gatherUncaught(async () => {
        const watch = near.output.watch((_, { removed }) => {
          if (removed > 0 && ++flushes < 100) near.flush('write', 'flush');
        });
        act(near);
        far.enable('read');
        await world.until(() => far.input.length >= expected.length, 'all bytes');
        watch.dispose();
      });
      expect(text(contents(far.input))).toBe(expected);
      expect(uncaught).toEqual([]);
      expect(near.output.length).toBe(0);
    }

    it('B90: nothing that was written behind a layer leaves without it', async () => {
      await arrives(
        (near) => {
          near.write('in the clear');
          void near.insertLayer(marking('1'));
          near.write('secret');
        },
        `in the clear${marked('secret', '1')}`,
      );
    });

    it('B90: nor what was written behind a second layer, without that one', async () => {
      await arrives(
        (near) => {
          near.write('in the clear');
          void near.insertLayer(marking('1'));
          near.write('once');
          void near.insertLayer(marking('2'));
          near.write('twice');
        },
        `in the clear${marked('once', '1')}${marked(marked('twice', '2'), '1')}`,
      );
    });

    it('B90: nor behind a layer that is inserted in the watch', async () => {
      await arrives(
        (near) => {
          near.write('in the clear');
          void near.insertLayer(marking('1'));
          near.write('once');
          const watch = near.output.watch((_, { removed }) => {
            if (removed === 0) return;
            watch.dispose();
            void near.insertLayer(marking('2'));
            near.write('twice');
          });
        },
        `in the clear${marked('once', '1')}${marked(marked('twice', '2'), '1')}`,
      );
    });
  });
});

describe('surplus input', () => {
  inEveryFlavour(
    (flavour) => {
      const { world } = flavour;

      it('is refused by default: nothing changes, and the layer stays the caller’s', async () => {
        const { near, far } = await flavour.connect();
        far.write('injected');
        near.enable('read');
        await world.until(() => near.input.length === 8, 'the surplus');
        const layer = new ToyLayer();
        const refused = expect.objectContaining({ code: 'ERR_BUFFEREVENT_SURPLUS_INPUT' });
        expect(() => near.insertLayer(layer)).toThrow(refused);
        expect(() => near.insertLayer(layer, { surplus: 'refuse' })).toThrow(refused);
        expect(near.layers).not.toContain(layer);
        expect(layer.calls).toEqual({ attach: 0, handshake: 0, decode: 0, encode: 0, end: 0, free: 0 });
        near.write('plain');
        expect(text(await far.read(5))).toBe('plain');
        expect(text(contents(near.input))).toBe('injected');
      });

      it('stays in front with keep', async () => {
        const { near, far } = await flavour.connect();
        far.write('before ');
        near.enable('read');
        await world.until(() => near.input.length === 7, 'the surplus');
        void near.insertLayer(new ToyLayer(), { surplus: 'keep' });
        void far.insertLayer(new ToyLayer());
        far.write('after');
        await world.until(() => near.input.length === 12, 'all');
        expect(text(contents(near.input))).toBe('before after');
      });
    },
    { worlds: ['memory', ...sockets] },
  );
});

describe('mistakes', () => {
  inWorlds(['memory'], (world) => {
    it('B13: what is no layer, and unknown ways with surplus, throw', async () => {
      const { bev } = await world.accepted({});
      for (const wrong of [null, undefined, 1, {}, { name: 'x' }, { name: 'x', decode() {} }]) {
        expect(() => bev.insertLayer(wrong as never)).toThrow(TypeError);
      }
      expect(() => bev.insertLayer(new ToyLayer(), { surplus: 'drop' as never })).toThrow(TypeError);
      expect(() => bev.insertLayer(new ToyLayer(), null as never)).toThrow(TypeError);
      expect(bev.layers).toEqual([]);
    });

    it('after the end of either side, a failure or free(), it throws', async () => {
      const closed = expect.objectContaining({ code: 'ERR_BUFFEREVENT_CLOSED' });
      const half = await world.accepted({});
      half.bev.halfClose();
      expect(() => half.bev.insertLayer(new ToyLayer())).toThrow(closed);
      const ended = await world.accepted({ onRead() {} });
      ended.peer.end();
      await world.until(() => ended.bev.readEnded, 'the end');
      expect(() => ended.bev.insertLayer(new ToyLayer())).toThrow(closed);
      const reset = await world.accepted({ onRead() {} });
      reset.peer.reset();
      await reset.bev.closed;
      expect(() => reset.bev.insertLayer(new ToyLayer())).toThrow(closed);
      reset.bev.free();
      expect(() => reset.bev.insertLayer(new ToyLayer())).toThrow(
        expect.objectContaining({ code: 'ERR_BUFFEREVENT_FREED' }),
      );
    });

    it('what attach throws leaves insertLayer, and the connection goes on without', async () => {
      const { client, server } = await world.pair({}, {});
      const problem = new Error('attach');
      const layer = new ToyLayer({
        onCall() {
          throw problem;
        },
      });
      expect(() => client.insertLayer(layer)).toThrow(problem);
      expect(client.layers).toEqual([]);
      client.write('plain');
      expect(text(await server.read(5))).toBe('plain');
      expect(layer.calls.free).toBe(0);
    });
  });
});

describe('connect() to one who speaks another language', () => {
  onEveryBackend((world) => {
    it('a bufferevent that connects learns of the failed handshake by one event, and may be freed', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      const opened = rejection(bev.insertLayer(new ToyLayer()));
      peer.send('GET / HTTP/1.1\r\n');
      expect(await opened).toMatchObject({ code: 'ERR_TOY_GREETING' });
      await world.until(() => world.log.length > 0, 'the event');
      expect(world.log).toEqual(['server error ERR_TOY_GREETING']);
      expect(await bev.closed).toMatchObject({ kind: 'error', error: { code: 'ERR_TOY_GREETING' } });
      bev.free();
    });
  });
});
