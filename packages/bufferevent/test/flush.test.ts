// flush(): what would be done by and by, done now; and nobody is called inside it.
import { createPair, FilterBufferevent, type FilterFunction, type FlushMode, SocketBufferevent } from 'bufferevent';
import { ToyLayer } from 'bufferevent/compliance';
import { describe, expect, it } from 'vitest';
import { contents, pattern, same, text } from './support/bytes.js';
import { doubling } from './support/filters.js';
import { inEveryFlavour, type OpenFlavour } from './support/flavours.js';
import { sockets } from './support/system-backends.js';
import { turn } from './support/wait.js';
import { inMemory, inWorlds } from './support/world.js';

const modes: readonly FlushMode[] = ['normal', 'flush', 'finished'];

inEveryFlavour((flavour: OpenFlavour) => {
  const { world } = flavour;

  for (const mode of modes) {
    it(`${mode}: 8,333 bytes arrive with one success on each side (regress B3–B8)`, async () => {
      const { near, far } = await flavour.connect();
      const size = world.bytes(8_333);
      near.setHandlers(world.record('near'));
      far.setHandlers(world.record('far'));
      far.enable('read');
      near.write(pattern(size));
      near.flush('write', mode);
      await world.until(() => far.input.length === size && world.log.includes('near write'), 'all bytes');
      expect(same(contents(far.input), pattern(size))).toBe(true);
      // Only pairs tell an end, and go on.
      const ends = world.log.filter((line) => !/ (read \d+|write)$/.test(line));
      if (mode !== 'finished' || flavour.name.includes('sockets')) expect(ends).toEqual([]);
    });

    it(`CB-1: ${mode} calls nobody before it returns, whatever it moves`, async () => {
      const { near, far } = await flavour.connect();
      near.setHandlers(world.record('near'));
      far.setHandlers(world.record('far'));
      far.enable('read');
      near.write('bytes');
      near.trigger('write', { ignoreWatermarks: true });
      near.flush('write', mode);
      far.flush('read', mode);
      expect(world.log).toEqual([]);
      await world.until(() => world.log.length >= 2, 'the callbacks');
    });
  }

  it('what is flushed goes through the layers, whole', async () => {
    const { near, far } = await flavour.connect();
    const opened = near.insertLayer(new ToyLayer());
    void far.insertLayer(new ToyLayer());
    await opened;
    const size = world.bytes(5000);
    near.write(pattern(size));
    expect(near.flush('write', 'flush')).toBe(true);
    expect(near.output.length).toBe(0);
    expect(same((await far.read(size)) as Uint8Array, pattern(size))).toBe(true);
  });
});

describe('on sockets', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('it submits at once, and nothing when there is nothing', async () => {
      const { bev, peer } = await world.accepted({});
      expect(bev.flush('write')).toBe(false);
      bev.write('now');
      expect(bev.flush('write')).toBe(true);
      expect(bev.flush('write')).toBe(false);
      await world.until(() => peer.receivedBytes === 3, 'the bytes');
      expect(peer.ended).toBe(false);
    });

    it('finished ends nothing: an end is said by halfClose()', async () => {
      const { bev, peer } = await world.accepted({});
      bev.write('one ');
      bev.flush('write', 'finished');
      bev.write('two');
      await world.until(() => peer.receivedBytes === 7, 'both');
      for (let index = 0; index < 10; index++) await turn();
      expect(peer.ended).toBe(false);
    });
  });

  inMemory((world) => {
    it('before connecting it moves nothing', async () => {
      const bev = world.keep(new SocketBufferevent(world.base));
      bev.write('early');
      for (const mode of modes) expect(bev.flush('write', mode)).toBe(false);
      expect(bev.output.length).toBe(5);
      bev.free();
    });

    it('B13: wrong directions and modes throw, and so does a freed one', async () => {
      const { bev } = await world.accepted({});
      expect(() => bev.flush('both' as never)).toThrow(TypeError);
      expect(() => bev.flush('read', 'sync' as never)).toThrow(TypeError);
      bev.free();
      expect(() => bev.flush('read')).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_FREED' }));
    });
  });
});

describe('on filters', () => {
  inMemory((world) => {
    it('it goes down the whole stack: two filters and a pair (FI-3)', async () => {
      const seen: string[] = [];
      const named =
        (name: string): FilterFunction =>
        (source, target, limit, mode) => {
          seen.push(`${name} ${mode} ${limit}`);
          return source.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
        };
      const [a, b] = createPair(world.base);
      const low = world.keep(new FilterBufferevent(a, { output: named('low') }));
      const high = world.keep(new FilterBufferevent(low, { output: named('high') }));
      high.write('through');
      expect(high.flush('write', 'flush')).toBe(true);
      expect(text(contents(b.input))).toBe('through');
      expect(seen.filter((line) => line.startsWith('high'))[0]).toBe('high flush Infinity');
      expect(seen.filter((line) => line.startsWith('low'))[0]).toBe('low flush Infinity');
    });

    it('flushing takes no notice of a mark below', async () => {
      const [a, b] = createPair(world.base);
      const filter = world.keep(new FilterBufferevent(a, { output: doubling }));
      a.setWatermarks('write', { high: 4 });
      filter.write(pattern(100));
      filter.flush('write', 'flush');
      expect(filter.output.length).toBe(0);
      expect(b.input.length + a.output.length).toBe(200);
    });

    it('reading is flushed although it is not enabled', async () => {
      const [a, b] = createPair(world.base);
      const filter = world.keep(new FilterBufferevent(a));
      b.write('peeked at');
      filter.flush('read', 'flush');
      expect(text(contents(filter.input))).toBe('peeked at');
      expect(filter.enabled).toEqual(['write']);
    });

    it('a layer that says end while it is flushed has ended', async () => {
      const [a, b] = createPair(world.base, { handlers: [world.record('a'), undefined] });
      void a.insertLayer({
        name: 'ends',
        decode(source, target) {
          if (source.length === 0) return 'need-more';
          source.moveTo(target, source.length);
          return 'end';
        },
        encode: () => 'need-more',
      });
      b.write('last');
      a.flush('read', 'flush');
      a.flush('read', 'flush');
      await world.settle();
      expect(a.readEnded).toBe(true);
      expect(text(contents(a.input))).toBe('last');
      expect(world.log.filter((line) => line === 'a eof')).toHaveLength(1);
    });
  });
});
