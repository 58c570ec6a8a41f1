// Rate limits where something lies between the user and the network: layers, filters, pairs. RL-11, RL-14, B140.
import { createPair, FilterBufferevent, type Layer, RateLimitGroup, TokenBucketConfig } from 'bufferevent';
import type { Evbuffer } from 'evbuffer';
import { describe, expect, it } from 'vitest';
import { pattern, same } from './support/bytes.js';
import { Collector } from './support/recorder.js';
import { inMemory } from './support/world.js';

/** Sends every byte twice. */
const doubling = (): Layer => ({
  name: 'doubling',
  decode(source, target, limit) {
    for (let left = limit; left > 0; left--) {
      if (source.length < 2) return 'need-more';
      target.add(source.remove(1));
      source.drain(1);
    }
    return 'ok';
  },
  encode(source, target, limit) {
    for (let left = limit; left > 0 && source.length > 0; left -= 2) {
      const byte = source.remove(1);
      target.add(byte);
      target.add(byte);
    }
    return 'ok';
  },
});

function copy(source: Evbuffer, target: Evbuffer, limit: number): 'ok' {
  source.moveTo(target, Math.min(source.length, limit));
  return 'ok';
}

describe('a limit', () => {
  inMemory((world) => {
    for (const [count, payloadPerTick] of [
      ['wire', 50],
      ['payload', 100],
    ] as const) {
      it(`RL-11: over a layer that doubles, 100 bytes a tick of the ${count} are ${payloadPerTick} of the user`, async () => {
        const received = new Collector();
        const { client, server } = await world.pair({ onRead() {} }, { onRead: received.take });
        client.insertLayer(doubling());
        server.insertLayer(doubling());
        const config = new TokenBucketConfig({ readRate: 100, tickMs: 100 });
        const group = new RateLimitGroup(world.base, new TokenBucketConfig({}), { count });
        group.add(server);
        server.setRateLimit(config, { count });
        client.write(pattern(450));
        await world.settle();
        const bytes = [received.bytes];
        for (let tick = 0; tick < 3; tick++) {
          await world.advance(100);
          bytes.push(received.bytes);
        }
        expect(bytes).toEqual([1, 2, 3, 4].map((ticks) => ticks * payloadPerTick));
        expect(group.totals.read).toBe(count === 'payload' ? received.bytes : server.stats().bytesReceived);
        for (let tick = 0; tick < 8; tick++) await world.advance(100);
        expect(same(received.data, pattern(450))).toBe(true);
      });

      it(`RL-11: sending obeys it as well (${count})`, async () => {
        const received = new Collector();
        const { client, server } = await world.pair({ onRead() {} }, { onRead: received.take });
        client.insertLayer(doubling());
        server.insertLayer(doubling());
        client.setRateLimit(new TokenBucketConfig({ writeRate: 100, tickMs: 100 }), { count });
        client.write(pattern(450));
        await world.settle();
        const bytes = [received.bytes];
        for (let tick = 0; tick < 3; tick++) {
          await world.advance(100);
          bytes.push(received.bytes);
        }
        expect(bytes).toEqual([1, 2, 3, 4].map((ticks) => ticks * payloadPerTick));
        for (let tick = 0; tick < 8; tick++) await world.advance(100);
        expect(same(received.data, pattern(450))).toBe(true);
      });
    }

    it('RL-14: holds for pairs too: 5000 bytes take their ticks', async () => {
      const received = new Collector();
      const [a, b] = createPair(world.base);
      world.keep(a);
      world.keep(b);
      b.setHandlers({ onRead: received.take });
      b.enable('read');
      a.setRateLimit(new TokenBucketConfig({ writeRate: 1000, tickMs: 100 }));
      b.setRateLimit(new TokenBucketConfig({ readRate: 800, readBurst: 900, tickMs: 50 }));
      a.write(pattern(5000));
      const bytes = [];
      for (let tick = 0; tick < 5; tick++) {
        await world.settle();
        bytes.push(received.bytes);
        await world.advance(50);
        await world.advance(50);
      }
      expect(bytes).toEqual([800, 1900, 2900, 3900, 4900]);
      expect(same(received.data, pattern(5000))).toBe(true);
      a.free();
      b.free();
    });

    it('RL-14: holds for filters too, and for the one below them', async () => {
      for (const limited of ['filter', 'below'] as const) {
        const received = new Collector();
        const { client, server } = await world.pair({ onRead() {} }, {});
        const filter = world.keep(new FilterBufferevent(server, { input: copy, output: copy }));
        filter.setHandlers({ onRead: received.take });
        filter.enable('read');
        const target = limited === 'filter' ? filter : server;
        target.setRateLimit(new TokenBucketConfig({ readRate: 100, tickMs: 100 }));
        client.write(pattern(300));
        await world.settle();
        const bytes = [received.bytes];
        for (let tick = 0; tick < 3; tick++) {
          await world.advance(100);
          bytes.push(received.bytes);
        }
        expect(bytes, limited).toEqual([100, 200, 300, 300]);
        expect(same(received.data, pattern(300))).toBe(true);
        filter.free();
        client.free();
        await world.settle();
      }
    });
  });
});
