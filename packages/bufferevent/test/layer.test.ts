// The seam itself: when a layer is called, what its answers mean, and what its misbehaviour does.
import {
  type Bufferevent,
  type BuffereventHandlers,
  connect,
  createPair,
  FilterBufferevent,
  type FlushMode,
  type Layer,
  type LayerHost,
  SocketBufferevent,
} from 'bufferevent';
import { type LayerCall, ToyLayer, type ToyLayerOptions } from 'bufferevent/compliance';
import { Evbuffer } from 'evbuffer';
import { describe, expect, it } from 'vitest';
import { contents, KiB, MiB, pattern, same, text } from './support/bytes.js';
import { inEveryFlavour, inEveryMemoryFlavour, type OpenFlavour } from './support/flavours.js';
import { Collector } from './support/recorder.js';
import { ScriptedFile } from './support/scripted-file.js';
import { sockets } from './support/system-backends.js';
import { gatherUncaught } from './support/uncaught.js';
import { isPending, rejection } from './support/wait.js';
import { inMemory, inWorlds, ipOf, onEveryBackend, type World } from './support/world.js';

const passing = {
  decode: (source: Evbuffer, target: Evbuffer, limit: number) =>
    source.moveTo(target, limit) > 0 ? ('ok' as const) : ('need-more' as const),
  encode: (source: Evbuffer, target: Evbuffer, limit: number) =>
    source.moveTo(target, limit) > 0 ? ('ok' as const) : ('need-more' as const),
};

function layer(parts: Partial<Layer>): Layer {
  return { name: 'made up', ...passing, ...parts };
}

/** A pair with a layer on its near end; the far end is bare. */
function bare(world: World, made: Layer, handlers?: BuffereventHandlers) {
  const [near, far] = createPair(world.base, { handlers: [handlers, undefined] });
  void near.insertLayer(made);
  return { near: world.keep(near), far: world.keep(far) };
}

/** Both ends speak toy. */
async function speaking(
  flavour: OpenFlavour,
  near: ToyLayerOptions = {},
  far: ToyLayerOptions = {},
  handlers: BuffereventHandlers | null = null,
) {
  const ends = await flavour.connect();
  ends.near.setHandlers(handlers);
  const layers = { near: new ToyLayer({ name: 'near', ...near }), far: new ToyLayer({ name: 'far', ...far }) };
  const opened = Promise.all([ends.near.insertLayer(layers.near), ends.far.insertLayer(layers.far)]);
  return { ...ends, layers, opened };
}

describe('the handshake', () => {
  inEveryFlavour((flavour) => {
    const { world } = flavour;

    it('opens both ends; payload goes both ways, whole, whoever greets first', async () => {
      const { near, far, opened } = await speaking(flavour, { waits: true });
      const size = world.bytes(50_000);
      near.write(pattern(size, 1));
      far.write(pattern(size, 2));
      const [atFar, atNear] = await Promise.all([far.read(size), near.read(size), opened]);
      expect(same(atFar as Uint8Array, pattern(size, 1))).toBe(true);
      expect(same(atNear as Uint8Array, pattern(size, 2))).toBe(true);
    });

    it('a layer’s end marker is the end of the payload, and end() is clean on both sides', async () => {
      const { near, far, layers } = await speaking(flavour);
      far.setHandlers(world.record('far'));
      near.write('all');
      const ended = near.end();
      expect(text(await far.read())).toBe('all');
      expect(await far.read()).toBeNull();
      expect(await far.end()).toEqual({ kind: 'clean' });
      expect(await ended).toEqual({ kind: 'clean' });
      expect(world.log.filter((line) => line === 'far eof')).toHaveLength(1);
      expect(layers.near.calls).toMatchObject({ end: 1, free: 1 });
      expect(layers.far.calls).toMatchObject({ end: 1, free: 1 });
    });

    it('halfClose() ends our side only: the answer still comes (B60)', async () => {
      const { near, far } = await speaking(flavour);
      near.write('question');
      near.halfClose();
      expect(text(await far.read())).toBe('question');
      expect(await far.read()).toBeNull();
      far.write('answer');
      expect(text(await near.read(6))).toBe('answer');
      far.halfClose();
      expect(await near.read()).toBeNull();
    });

    it('a transport that ends inside the handshake is one error without a direction', async () => {
      const { near, far } = await flavour.connect();
      near.setHandlers(world.record('near'));
      const opened = rejection(near.insertLayer(new ToyLayer()));
      far.write(Buffer.from([0xa5]));
      far.halfClose();
      expect(await opened).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END' });
      await world.until(() => world.log.length > 0, 'the event');
      expect(world.log).toEqual(['near error ERR_BUFFEREVENT_UNEXPECTED_END']);
      expect(near.enabled).toEqual(['write']);
    });

    it('a transport that ends without the layer’s end marker is an error after the data', async () => {
      const { near, far } = await flavour.connect();
      const hear = async (chunks: Buffer[]): Promise<Error & { code?: string }> => {
        const gather = async (): Promise<void> => {
          for await (const chunk of near) chunks.push(Buffer.from(chunk));
        };
        return await rejection(gather());
      };
      near.setHandlers({ onEvent: world.record('near').onEvent });
      void near.insertLayer(new ToyLayer({ mask: 0 }));
      // By hand: greeting, one frame, and half a frame.
      far.write('TOY!D\0\x04dataD\0\x09cut');
      far.halfClose();
      const chunks: Buffer[] = [];
      expect(await hear(chunks)).toMatchObject({ code: 'ERR_TOY_TRUNCATED' });
      expect(Buffer.concat(chunks).toString()).toBe('data');
      await world.until(() => world.log.length > 1, 'the events');
      expect(world.log).toEqual(['near connected', 'near error ERR_TOY_TRUNCATED read']);
    });
  });

  inEveryMemoryFlavour((flavour) => {
    const { world } = flavour;

    it('one that takes too long is one timeout event named handshake, and nothing is closed', async () => {
      const { near } = await flavour.connect();
      near.setHandlers(world.record('near'));
      const opened = rejection(near.insertLayer(new ToyLayer({ handshakeMs: 100 })));
      near.write('waits');
      await world.advance(99);
      expect(world.log).toEqual([]);
      await world.advance(1);
      expect(world.log).toEqual(['near timeout handshake']);
      expect(await opened).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: 'handshake', timeoutMs: 100 });
      expect(await near.closed).toMatchObject({ kind: 'timeout', timeout: 'handshake' });
      expect(near.freed).toBe(false);
      await world.advance(1000);
      expect(world.log).toHaveLength(1);
    });

    it('the default is 30 seconds, and 0 lifts it', async () => {
      const { near, far } = await flavour.connect();
      near.setHandlers(world.record('near'));
      far.setHandlers(world.record('far'));
      void near.insertLayer(layer({ handshake: () => 'need-more' }));
      void far.insertLayer(layer({ handshake: () => 'need-more', handshakeMs: 0 }));
      await world.advance(29_999);
      expect(world.log).toEqual([]);
      await world.advance(1);
      expect(world.log).toEqual(['near timeout handshake']);
      await world.advance(100_000);
      expect(world.log).toEqual(['near timeout handshake']);
    });

    it('TO-1: it has no read time-out: nobody waits for payload', async () => {
      const { near } = await flavour.connect();
      near.setHandlers(world.record('near'));
      near.setTimeouts({ readMs: 50 });
      near.insertLayer(new ToyLayer()).catch(() => {});
      await world.advance(200);
      expect(world.log).toEqual([]);
      near.enable('read');
      await world.advance(50);
      expect(world.log).toEqual(['near timeout read']);
    });

    it('one that is in time stops the clock', async () => {
      const { near, opened } = await speaking(flavour, { handshakeMs: 100 });
      near.setHandlers(world.record('near'));
      await opened;
      await world.advance(200);
      expect(world.log.filter((line) => line.includes('timeout'))).toEqual([]);
    });
  });

  onEveryBackend((world) => {
    it('a refused connect tells the layer nothing, and is one event', async () => {
      const listener = await world.listen({});
      const address = ipOf(listener);
      await listener.close();
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      const toy = new ToyLayer();
      const opened = bev.insertLayer(toy);
      bev.connect(address);
      await world.until(() => world.log.length > 0, 'the refusal');
      expect(world.log).toEqual(['client error ECONNREFUSED']);
      expect(toy.calls).toMatchObject({ handshake: 0, decode: 0, encode: 0 });
      bev.free();
      expect(await rejection(opened)).toBeDefined();
      await world.until(() => toy.calls.free === 1, 'the layer to be freed');
    });

    it('connect() of a plain connection is not held up by layers of others', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev) });
      const bev = await connect(ipOf(listener), {}, { base: world.base });
      world.keep(bev).free();
    });
  });
});

describe('answers', () => {
  inMemory((world) => {
    it('pending waits to be woken, in the handshake, in decode and in encode', async () => {
      let host!: LayerHost;
      const ready = { handshake: false, decode: false, encode: false };
      const { near, far } = bare(
        world,
        layer({
          attach(given) {
            host = given;
          },
          handshake: () => (ready.handshake ? 'done' : 'pending'),
          decode: (source, target, limit) => (ready.decode ? passing.decode(source, target, limit) : 'pending'),
          encode: (source, target, limit) => (ready.encode ? passing.encode(source, target, limit) : 'pending'),
        }),
        world.record('near'),
      );
      const wake = async (what: keyof typeof ready): Promise<void> => {
        ready[what] = true;
        host.wake();
        await world.settle();
      };
      far.write('in');
      near.write('out');
      near.enable('read');
      far.enable('read');
      const drained = near.drained();
      await world.settle();
      expect(world.log).toEqual([]);
      await wake('handshake');
      expect(world.log[0]).toBe('near connected');
      expect(near.input.length).toBe(0);
      await wake('decode');
      expect(text(contents(near.input))).toBe('in');
      expect(far.input.length).toBe(0);
      expect(await isPending(drained)).toBe(true);
      await wake('encode');
      expect(text(contents(far.input))).toBe('out');
      await drained;
    });

    it('a wake inside a call of the layer is not lost', async () => {
      const held = new Evbuffer();
      let host!: LayerHost;
      const { near, far } = bare(
        world,
        layer({
          attach(given) {
            host = given;
          },
          // Takes everything and gives it back a byte at a time.
          decode(source, target) {
            held.addBuffer(source);
            if (held.length === 0) return 'need-more';
            held.moveTo(target, 1);
            if (held.length > 0) host.wake();
            return 'ok';
          },
        }),
      );
      near.enable('read');
      far.write('bytewise');
      await world.settle();
      expect(text(contents(near.input))).toBe('bytewise');
    });

    it('what toPeer is given before a wake leaves, also without any write of the user', async () => {
      let host!: LayerHost;
      const { far } = bare(
        world,
        layer({
          attach(given) {
            host = given;
          },
        }),
      );
      host.toPeer.add('heartbeat');
      host.wake();
      expect(text(await far.read(9))).toBe('heartbeat');
    });

    it('FI-3: a flush that is asked for while layers run has its turn after them', async () => {
      const held = new Evbuffer();
      const { near, far } = bare(
        world,
        layer({
          encode(source, target, _, mode) {
            source.moveTo(held, source.length);
            return mode !== 'normal' && held.moveTo(target, held.length) > 0 ? 'ok' : 'need-more';
          },
        }),
      );
      near.output.watch((_, { removed }) => {
        if (removed > 0) near.flush('write', 'flush');
      });
      near.write('all of it');
      expect(text(await far.read(9))).toBe('all of it');
    });

    it('a layer that takes bytes and makes nothing of them makes room for the one below', async () => {
      let host!: LayerHost;
      let isAwake = false;
      const taken = new Evbuffer();
      const { near, far } = bare(world, layer({}));
      void near.insertLayer(
        layer({
          attach: (given) => {
            host = given;
          },
          decode(source) {
            if (!isAwake) return 'pending';
            source.moveTo(taken, source.length);
            return 'need-more';
          },
        }),
      );
      near.enable('read');
      far.write(pattern(300 * KiB));
      await world.settle();
      isAwake = true;
      host.wake();
      await world.settle();
      expect(taken.length).toBe(300 * KiB);
    });

    it('FI-3: what a flush of the input has a layer answer is sent', async () => {
      let host!: LayerHost;
      const { near, far } = bare(
        world,
        layer({
          attach: (given) => {
            host = given;
          },
          decode(source, target, limit) {
            if (source.length === 0) return 'need-more';
            source.moveTo(target, limit);
            host.toPeer.add('answer');
            return 'ok';
          },
        }),
      );
      far.enable('read');
      far.write('hello');
      await world.settle();
      near.flush('read', 'flush');
      await world.settle();
      expect(text(contents(far.input))).toBe('answer');
    });

    it('bytes that come while another layer call runs are decoded after it', async () => {
      let isFirst = true;
      const { near, far } = bare(
        world,
        layer({
          encode(source, target) {
            const bytes = source.remove(source.length);
            if (bytes.length === 0) return 'need-more';
            if (isFirst) {
              isFirst = false;
              far.write('meanwhile');
              far.flush('write');
            }
            target.add(bytes);
            return 'ok';
          },
        }),
      );
      near.enable('read');
      await world.settle();
      near.write('hello');
      await world.settle();
      expect(text(contents(near.input))).toBe('meanwhile');
    });

    it('what encoding makes a layer want to hear may have come before', async () => {
      let heard = 0;
      const held = new Evbuffer();
      const listening: Layer & { wantsInput: boolean } = {
        name: 'made up',
        wantsInput: false,
        decode(source, target, limit) {
          const bytes = source.remove(limit > 0 ? Math.min(limit, source.length) : source.length);
          if (bytes.includes(0)) {
            heard++;
            listening.wantsInput = false;
          }
          held.add(bytes.filter((byte) => byte !== 0));
          return bytes.length + held.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
        },
        encode(source, target, limit) {
          if (source.length === 0) return 'need-more';
          listening.wantsInput = true;
          source.moveTo(target, limit);
          return 'ok';
        },
      };
      const { near, far } = bare(world, listening);
      near.setWatermarks('read', { high: 5 });
      near.enable('read');
      far.write('1234567\0');
      await world.settle();
      expect(heard).toBe(0);
      near.write('?');
      await world.settle();
      expect(heard).toBe(1);
    });

    it('a filter goes on over one whose layer makes nothing of what it takes', async () => {
      let taken = 0;
      const swallowing = layer({
        encode(source) {
          taken += source.length;
          source.drain(source.length);
          return 'need-more';
        },
      });
      const [near] = createPair(world.base);
      const upper = world.keep(new FilterBufferevent(new FilterBufferevent(near, { layer: swallowing })));
      upper.write(pattern(1 * MiB));
      await world.settle();
      expect(taken).toBe(1 * MiB);
    });

    it('host.fail gives the connection up with one error', async () => {
      let host!: LayerHost;
      const { near } = bare(
        world,
        layer({
          attach(given) {
            host = given;
          },
        }),
        world.record('near'),
      );
      host.fail(Object.assign(new Error('given up'), { code: 'GIVEN_UP' }));
      host.fail(new Error('again'));
      await world.settle();
      expect(world.log).toEqual(['near error GIVEN_UP']);
      near.free();
      host.fail(new Error('after free'));
      host.wake();
      await world.settle();
    });

    it('decode is called again when there is room, although its source is empty', async () => {
      const inside = new Evbuffer();
      const { near, far } = bare(
        world,
        layer({
          decode(source, target, limit) {
            inside.addBuffer(source);
            return inside.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
          },
        }),
      );
      near.setWatermarks('read', { high: 10 });
      near.enable('read');
      far.write(pattern(35));
      const got: number[] = [];
      for (let round = 0; round < 4; round++) {
        await world.settle();
        got.push(near.input.length);
        near.input.drain(near.input.length);
      }
      expect(got).toEqual([10, 10, 10, 5]);
    });

    it('encode is called again when there is room, although its source is empty', async () => {
      const inside = new Evbuffer();
      const { near, far } = bare(
        world,
        layer({
          encode(source, target, limit) {
            while (source.length > 0) inside.add(Buffer.alloc(100, source.remove(1)));
            return inside.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
          },
        }),
      );
      near.setWatermarks('write', { high: 10 });
      near.write('abc');
      near.halfClose();
      const got = Buffer.from((await far.read(300)) as Uint8Array).toString();
      expect(got).toBe('a'.repeat(100) + 'b'.repeat(100) + 'c'.repeat(100));
      expect(await far.read()).toBeNull();
    });

    it('end() asks for the rest of what a layer holds back, in mode finished', async () => {
      const modes: FlushMode[] = [];
      const inside = new Evbuffer();
      const { near, far } = bare(
        world,
        layer({
          encode(source, target, _, mode) {
            modes.push(mode);
            inside.addBuffer(source);
            if (mode === 'normal') return 'need-more';
            return inside.moveTo(target, 3) > 0 ? 'ok' : 'need-more';
          },
          end: (target) => target.add('.'),
        }),
      );
      near.write('12345678');
      const drained = near.drained();
      await world.settle();
      near.halfClose();
      expect(text(await far.read(9))).toBe('12345678.');
      expect(await far.read()).toBeNull();
      await drained;
      expect(modes[0]).toBe('normal');
      expect(new Set(modes.slice(1))).toEqual(new Set(['finished']));
    });
  });
});

describe('limits', () => {
  const blowUp = 10 * MiB;

  /** 1 KiB becomes 10 MiB, in steps of at most the limit or 16 KiB. */
  function bomb(): Layer {
    let left = 0;
    return layer({
      decode(source, target, limit) {
        left += source.length * (blowUp / KiB);
        source.drain(source.length);
        if (left === 0) return 'need-more';
        const count = Math.min(left, limit, 16 * KiB);
        left -= count;
        target.add(new Uint8Array(count));
        return 'ok';
      },
    });
  }

  inMemory((world) => {
    it('TO-3, TO-4: a peer that takes nothing of what layers have made is one write time-out', async () => {
      const { client, server } = await world.pair({}, {});
      const [near, far] = createPair(world.base);
      for (const [a, b] of [
        [client, server],
        [world.keep(near), world.keep(far)],
      ] as const) {
        await Promise.all([a.insertLayer(new ToyLayer()), b.insertLayer(new ToyLayer())]);
        world.log.length = 0;
        a.setHandlers(world.record('near'));
        a.setTimeouts({ writeMs: 50 });
        a.write(pattern(2 * MiB));
        await world.advance(49);
        expect(world.log.filter((line) => line.includes('timeout'))).toEqual([]);
        await world.advance(500);
        expect(world.log.filter((line) => line.includes('timeout'))).toEqual(['near timeout write']);
        expect(a.enabled).not.toContain('write');
      }
    });

    it('a decoder that makes 10 MiB of 1 KiB does not pass the mark, and starves nobody', async () => {
      const { near, far } = bare(world, bomb());
      near.enable('read');
      far.write(new Uint8Array(KiB));
      await world.settle();
      expect(near.input.length).toBe(256 * KiB);
      let total = 0;
      near.setHandlers({
        onRead(bev) {
          total += bev.input.length;
          expect(bev.input.length).toBeLessThanOrEqual(256 * KiB);
          bev.input.drain(bev.input.length);
        },
      });
      const [a, b] = createPair(world.base);
      const neighbour: number[] = [];
      b.setHandlers({
        onRead(bev) {
          neighbour.push(total);
          bev.input.drain(bev.input.length);
          if (total < blowUp) a.write('x');
        },
      });
      b.enable('read');
      a.write('x');
      near.trigger('read');
      await world.until(() => total === blowUp, 'all of it');
      expect(neighbour.length).toBeGreaterThan(10);
      a.free();
      b.free();
    });

    it('a full input stops reading below: at most 64 KiB wait in a layer, and as much in the next', async () => {
      const { near, far } = bare(world, layer({}));
      void near.insertLayer(layer({}));
      near.setWatermarks('read', { high: 1000 });
      near.enable('read');
      far.write(new Uint8Array(MiB));
      await world.settle();
      expect(near.input.length).toBe(1000);
      expect(near.stats().bytesReceived).toBeLessThanOrEqual(1000 + 2 * 64 * KiB);
    });

    it('a step may pass the mark by what can’t be cut, once', async () => {
      const { near, far } = bare(
        world,
        layer({
          decode: (source, target) => {
            if (source.length < 1000) return 'need-more';
            source.moveTo(target, 1000);
            return 'ok';
          },
        }),
      );
      near.setWatermarks('read', { high: 1500 });
      near.enable('read');
      far.write(pattern(10_000));
      await world.settle();
      expect(near.input.length).toBe(2000);
      near.input.drain(1999);
      await world.settle();
      expect(near.input.length).toBe(2001);
    });
  });

  inMemory(
    (world) => {
      it('one that holds more than it may, waiting for more, is an error', async () => {
        const { near, far } = bare(world, layer({ decode: () => 'need-more' }), world.record('near'));
        near.enable('read');
        far.write(new Uint8Array(3 * MiB));
        await world.until(() => world.log.length > 0, 'the limit');
        expect(world.log).toEqual(['near error ERR_BUFFEREVENT_LAYER_LIMIT read']);
        await world.settle();
        expect(far.output.length).toBeGreaterThan(3 * MiB - 1.5 * MiB);
      });

      it('also in the handshake, and in front of a layer above', async () => {
        const { near, far } = bare(world, layer({ handshake: () => 'need-more' }), world.record('near'));
        far.write(new Uint8Array(3 * MiB));
        await world.until(() => world.log.length > 0, 'the limit');
        expect(world.log).toEqual(['near error ERR_BUFFEREVENT_LAYER_LIMIT']);
        near.free();
        world.log.length = 0;
        const two = bare(world, layer({}), world.record('two'));
        void two.near.insertLayer(layer({ decode: () => 'need-more' }));
        two.near.enable('read');
        two.far.write(new Uint8Array(3 * MiB));
        await world.until(() => world.log.length > 0, 'the limit');
        expect(world.log).toEqual(['two error ERR_BUFFEREVENT_LAYER_LIMIT read']);
      });

      it('encoders, too', async () => {
        const { near } = bare(world, layer({ encode: () => 'need-more' }), world.record('near'));
        for (let index = 0; index < 3; index++) near.write(new Uint8Array(MiB));
        await world.until(() => world.log.some((line) => line.includes('error')), 'the limit');
        expect(world.log.filter((line) => line.includes('error'))).toEqual([
          'near error ERR_BUFFEREVENT_LAYER_LIMIT write',
        ]);
      });
    },
    { limits: { readMaxBytes: MiB } },
  );

  inWorlds(['memory', ...sockets], (world) => {
    it('WR-4: a peer that does not read is felt in the user’s own output, through layers', async () => {
      const { bev, peer } = await world.accepted({});
      void bev.insertLayer(layer({}));
      peer.stopReading();
      for (let index = 0; index < 64; index++) bev.write(new Uint8Array(256 * KiB));
      await world.until(() => bev.stats().bytesSent > 0, 'the first bytes');
      expect(bev.write('more')).toBe(false);
      peer.readOn();
      await bev.drained();
    });
  });
});

describe('a layer that has to hear from its peer while the user wants nothing', () => {
  inMemory((world) => {
    it('is given bytes with the limit 0, and its payload when there is room; without the wish nothing is read', async () => {
      let host: LayerHost | null = null;
      let inside = '';
      const limits: number[] = [];
      const made: Layer & { wantsInput: boolean } = {
        ...layer({}),
        wantsInput: false,
        attach(given) {
          host = given;
        },
        decode(source, target, limit) {
          limits.push(limit);
          inside += text(source.remove(source.length));
          if (limit === 0 || inside === '') return 'need-more';
          target.add(inside);
          inside = '';
          return 'ok';
        },
      };
      const { near, far } = bare(world, made);
      far.write('one ');
      await world.settle();
      expect([limits, near.stats().bytesReceived]).toEqual([[], 0]);
      made.wantsInput = true;
      (host as unknown as LayerHost).wake();
      await world.settle();
      far.write('two');
      await world.settle();
      expect(inside).toBe('one two');
      expect(new Set(limits)).toEqual(new Set([0]));
      expect(limits.length).toBeLessThan(10);
      expect(near.input.length).toBe(0);
      made.wantsInput = false;
      expect(text(await near.read(7))).toBe('one two');
    });

    it('a flush that says finished is told apart from the end of what is below', async () => {
      let host: LayerHost | null = null;
      const told: [FlushMode, boolean][] = [];
      const { near, far } = bare(
        world,
        layer({
          attach(given) {
            host = given;
          },
          decode(source, target, limit, mode) {
            told.push([mode, (host as unknown as LayerHost).incomingEnded]);
            return passing.decode(source, target, limit);
          },
        }),
      );
      near.enable('read');
      near.flush('read', 'finished');
      expect(told).toEqual([['finished', false]]);
      far.halfClose();
      await world.settle();
      expect(told.at(-1)).toEqual(['finished', true]);
    });

    it('FI-3: a flush of reading that says finished cuts nothing of a layer with an end marker', async () => {
      const [near, far] = createPair(world.base);
      for (const end of [near, far]) {
        world.keep(end);
        void end.insertLayer(new ToyLayer());
      }
      far.write('first');
      expect(text(await near.read(5))).toBe('first');
      near.flush('read', 'finished');
      far.write('second');
      expect(text(await near.read(6))).toBe('second');
    });
  });
});

describe('a small write mark', () => {
  inEveryFlavour(
    (flavour) => {
      it('lets everything leave through two layers, byte by byte, and the end after it (WR-1)', async () => {
        const { near, far } = await speaking(flavour);
        near.insertLayer(layer({})).catch(() => {});
        near.setWatermarks('write', { high: 1 });
        near.write('all of it');
        near.halfClose();
        expect(text(await far.read(9))).toBe('all of it');
        expect(await far.read()).toBeNull();
        await near.drained();
      });
    },
    { worlds: ['memory', ...sockets] },
  );
});

describe('a layer that throws', () => {
  const problem = Object.assign(new Error('thrown'), { code: 'THROWN' });
  const directions: Partial<Record<LayerCall, string>> = {
    handshake: 'near error THROWN',
    decode: 'near error THROWN read',
    encode: 'near error THROWN write',
    end: 'near error THROWN write',
  };

  inEveryFlavour(
    (flavour) => {
      const { world } = flavour;
      for (const [call, line] of Object.entries(directions)) {
        it(`in ${call} is one error event, and everything can be freed (FI-2)`, async () => {
          const onCall = (each: LayerCall): void => {
            if (each === call) throw problem;
          };
          const { near, far, opened } = await speaking(flavour, { onCall }, {}, world.record('near'));
          opened.catch(() => {});
          near.enable('read');
          far.enable('read');
          near.write('out');
          far.write('in');
          if (call === 'end') near.halfClose();
          await world.until(() => world.log.includes(line), 'the error');
          expect(world.log.filter((each) => each.includes('error'))).toEqual([line]);
          expect(await near.closed).toEqual({ kind: 'error', error: problem });
          near.free();
          far.free();
        });
      }

      it('in free surfaces as uncaught, and the rest is freed', async () => {
        const errors = await gatherUncaught(async (seen) => {
          const { near, far, opened } = await speaking(flavour, {
            onCall(each) {
              if (each === 'free') throw problem;
            },
          });
          await opened;
          near.free();
          far.free();
          await world.until(() => seen.length > 0, 'the exception');
        });
        expect(errors).toEqual([problem]);
      });
    },
    { worlds: ['memory', ...sockets] },
  );
});

describe('the last words of a layer that throws', () => {
  const problem = Object.assign(new Error('thrown'), { code: 'THROWN' });

  /** Says to its peer why it gives up. */
  function alerting(call: 'handshake' | 'decode'): Layer {
    let host: LayerHost;
    const giveUp = (): never => {
      host.toPeer.add('alert');
      throw problem;
    };
    return layer({
      attach(given) {
        host = given;
      },
      ...(call === 'decode'
        ? { decode: giveUp }
        : { handshake: (source) => (source.length > 0 ? giveUp() : 'need-more') }),
    });
  }

  inEveryFlavour((flavour) => {
    const { world } = flavour;
    for (const call of ['handshake', 'decode'] as const) {
      it(`in ${call} get to its peer, and the failure is told`, async () => {
        const { near, far } = await flavour.connect();
        near.setHandlers({ onEvent: world.record('near').onEvent });
        near.enable('read');
        void near.insertLayer(alerting(call));
        far.write('in');
        expect(text(await far.read(5))).toBe('alert');
        await world.until(() => world.log.length > 0, 'the event');
        expect(world.log).toEqual([`near error THROWN${call === 'decode' ? ' read' : ''}`]);
      });

      it(`in ${call} pass through the layers below`, async () => {
        const { near, far, opened } = await speaking(flavour);
        await opened;
        near.enable('read');
        void near.insertLayer(alerting(call));
        far.write('in');
        expect(text(await far.read(5))).toBe('alert');
      });
    }
  });

  inEveryFlavour((flavour) => {
    it('get to its peer although the user frees the connection at once', async () => {
      const { near, far } = await flavour.connect();
      near.setHandlers({ onEvent: (bev) => bev.free() });
      near.enable('read');
      void near.insertLayer(alerting('decode'));
      far.write('in');
      expect(text(await far.read(5))).toBe('alert');
      expect(await far.read()).toBeNull();
    });
  });
});

describe('calls of the user inside a layer', () => {
  const acts: Record<string, (bev: Bufferevent) => void> = {
    free: (bev) => bev.free(),
    end: (bev) => void bev.end(),
    halfClose: (bev) => bev.halfClose(),
    disable: (bev) => bev.disable('read', 'write'),
    'setHandlers(null)': (bev) => bev.setHandlers(null),
    write: (bev) => void (bev.freed || bev.write('more')),
    flush: (bev) => void bev.flush('write', 'flush'),
    'flush reading': (bev) => void bev.flush('read', 'flush'),
  };
  const calls: readonly LayerCall[] = ['attach', 'handshake', 'decode', 'encode', 'end'];

  inEveryMemoryFlavour((flavour) => {
    const { world } = flavour;
    for (const [name, act] of Object.entries(acts)) {
      for (const call of calls) {
        // What is written before the layer is there, or after the end, is another story.
        if (name === 'write' && (call === 'attach' || call === 'end')) continue;
        it(`${name} inside ${call} is safe (B11)`, async () => {
          const ends = await flavour.connect();
          let done = 0;
          const toy = new ToyLayer({
            onCall(each) {
              if (each !== call || done > 0 || ends.near.freed) return;
              done += 1;
              act(ends.near);
            },
          });
          const far = new ToyLayer();
          const quiet = gatherUncaught(async () => {
            try {
              void ends.near.insertLayer(toy).catch(() => {});
            } catch (error) {
              expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_BUFFEREVENT_(FREED|CLOSED)$/) });
            }
            void ends.far.insertLayer(far).catch(() => {});
            if (!ends.near.freed) {
              ends.near.enable('read');
              try {
                ends.near.write(pattern(3000));
                if (name !== 'write') ends.near.halfClose();
              } catch (error) {
                expect(error).toMatchObject({ code: 'ERR_BUFFEREVENT_WRITE_AFTER_END' });
              }
            }
            const collector = new Collector();
            ends.far.setHandlers({ onRead: collector.take });
            ends.far.enable('read');
            ends.far.write('answer');
            await world.settle();
            expect(done).toBe(1);
            if (name === 'write') expect(collector.bytes).toBe(3004);
            if (name === 'disable' && !ends.near.freed) {
              ends.near.enable('read', 'write');
              await world.settle();
            }
            if (['disable', 'setHandlers(null)', 'flush', 'flush reading'].includes(name)) {
              expect(same(collector.data, pattern(3000))).toBe(true);
            }
            ends.near.free();
            ends.far.free();
            await world.settle();
            expect(toy.calls.free).toBeLessThanOrEqual(1);
          });
          expect(await quiet).toEqual([]);
        });
      }
    }
  });
});

describe('calls of the user inside handlers', () => {
  inEveryFlavour(
    (flavour) => {
      const { world } = flavour;
      const acts: Record<string, (bev: Bufferevent) => void> = {
        free: (bev) => bev.free(),
        end: (bev) => void bev.end(),
        halfClose: (bev) => bev.halfClose(),
        disable: (bev) => bev.disable('read', 'write'),
        insertLayer: (bev) => void bev.insertLayer(layer({}), { surplus: 'keep' }),
      };
      for (const kind of ['onRead', 'onWrite', 'onEvent'] as const) {
        for (const [name, act] of Object.entries(acts)) {
          it(`${name} in ${kind} is safe over a layer (CB-1, FR-1)`, async () => {
            let count = 0;
            const handlers = {
              [kind](bev: Bufferevent): void {
                count += 1;
                if (kind === 'onRead') bev.input.drain(bev.input.length);
                if (count === 1) act(bev);
              },
            };
            const { near, far, opened } = await speaking(flavour, {}, {}, handlers);
            opened.catch(() => {});
            near.enable('read');
            near.write('out');
            far.write('in');
            await world.until(() => count > 0, kind);
            far.free();
            near.free();
            const after = count;
            await world.until(() => near.freed && far.freed, 'both to be freed');
            expect(count).toBe(after);
          });
        }
      }
    },
    { worlds: ['memory', ...sockets] },
  );
});

describe('files', () => {
  inEveryFlavour(
    (flavour) => {
      it('are read without blocking, pass through the layer, and arrive whole', async () => {
        const { near, far } = await speaking(flavour);
        const content = pattern(200 * KiB);
        const file = new ScriptedFile(content);
        near.write('<');
        near.output.addFileSegment(file);
        near.write('>');
        const ended = near.end();
        const received = new Collector();
        for await (const chunk of far) received.chunks.push(chunk);
        expect(received.data.length).toBe(content.length + 2);
        expect(same(received.data.subarray(1, -1), content)).toBe(true);
        await far.end();
        expect(await ended).toEqual({ kind: 'clean' });
        expect(file.users).toBe(0);
      });
    },
    { worlds: ['memory', ...sockets] },
  );
});

describe('a file in front of a layer', () => {
  const bodies = (flavour: OpenFlavour): void => {
    it('leaves unchanged, read without blocking', async () => {
      const { near, far } = await flavour.connect();
      const content = pattern(100 * KiB);
      const file = new ScriptedFile(content);
      near.output.addFileSegment(file);
      void near.insertLayer(new ToyLayer());
      near.write('secret');
      expect(same((await far.read(content.length)) as Uint8Array, content)).toBe(true);
      void far.insertLayer(new ToyLayer(), { surplus: 'decode' });
      expect(text(await far.read(6))).toBe('secret');
    });
  };
  inEveryFlavour(bodies, { worlds: sockets });
  inEveryFlavour(bodies, { worlds: ['memory'] });
});

describe('numbers', () => {
  inMemory((world) => {
    it('stats tell payload and what was made of it apart', async () => {
      const [near, far] = createPair(world.base);
      world.keep(near);
      world.keep(far);
      void near.insertLayer(new ToyLayer());
      void far.insertLayer(new ToyLayer());
      near.write(pattern(2500));
      await far.read(2500);
      await near.drained();
      expect(near.stats()).toMatchObject({ payloadSent: 2500, bytesSent: 4 + 2500 + 3 * 3, bytesReceived: 4 });
      expect(far.stats()).toMatchObject({ payloadReceived: 2500, bytesReceived: 4 + 2500 + 3 * 3, bytesSent: 4 });
    });
  });
});
