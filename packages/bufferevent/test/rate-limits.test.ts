// Rate limits of single connections: config, levels, suspension. RL-1 to RL-6, B130–B134, B139.
import { type Bufferevent, EventBase, RateLimitGroup, SocketBufferevent, TokenBucketConfig } from 'bufferevent';
import { ManualClock } from 'bufferevent/testing';
import type { Backend } from 'bufferevent-backend';
import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KiB, pattern, same } from './support/bytes.js';
import { Collector } from './support/recorder.js';
import { ScriptedFile } from './support/scripted-file.js';
import { inMemory, onEveryBackend, type World } from './support/world.js';

/** Handlers that take everything, and note what came when. */
function meter(world: World): { onRead(bev: Bufferevent): void; readonly arrivals: string[] } {
  const arrivals: string[] = [];
  return {
    arrivals,
    onRead(bev) {
      arrivals.push(`${bev.input.length} at ${world.clock.now()}`);
      bev.input.drain(bev.input.length);
    },
  };
}

describe('TokenBucketConfig', () => {
  it('fills in what is omitted: the burst is the rate, a direction without a rate is not limited, a tick is a second', () => {
    expect(new TokenBucketConfig({ readRate: 100 })).toMatchObject({
      readRate: 100,
      readBurst: 100,
      writeRate: Infinity,
      writeBurst: Infinity,
      tickMs: 1000,
    });
    expect(new TokenBucketConfig({ writeRate: 5, writeBurst: Infinity })).toMatchObject({
      readRate: Infinity,
      writeRate: 5,
      writeBurst: Infinity,
    });
  });

  it('a tick of 0 is refused, as are fractions and negative ones (regress B37)', () => {
    for (const tickMs of [0, 0.999, 1.5, -1, Number.NaN, Infinity]) {
      expect(() => new TokenBucketConfig({ readRate: 1, writeRate: 1, tickMs })).toThrow(RangeError);
    }
    expect(() => new TokenBucketConfig({ readRate: 1, tickMs: '1' as unknown as number })).toThrow(TypeError);
  });

  it('a tick of INT_MAX/1000 seconds is the longest (regress B38)', () => {
    const limit = 2_147_483;
    for (const seconds of [Number.MAX_SAFE_INTEGER, 2 ** 32 - 2, 2 ** 31 - 1, limit + 1]) {
      expect(() => new TokenBucketConfig({ readRate: 1, writeRate: 1, tickMs: seconds * 1000 })).toThrow(RangeError);
    }
    for (const seconds of [limit, limit - 1]) {
      expect(new TokenBucketConfig({ readRate: 1, writeRate: 1, tickMs: seconds * 1000 }).tickMs).toBe(seconds * 1000);
    }
  });

  it('a rate below 1 or above its burst is refused, and a name that is none', () => {
    for (const options of [
      { readRate: 0 },
      { writeRate: -5 },
      { readRate: 1.5 },
      { readRate: Number.NaN },
      { readRate: 101, readBurst: 100 },
      { writeRate: 101, writeBurst: 100 },
      { readBurst: 100 },
      { rate: 100 },
    ]) {
      expect(() => new TokenBucketConfig(options), JSON.stringify(options)).toThrow(RangeError);
    }
    for (const options of [{ readRate: '1' }, null, undefined, 5]) {
      expect(() => new TokenBucketConfig(options as never)).toThrow(TypeError);
    }
  });

  it('can be shared, and not be changed', () => {
    const config = new TokenBucketConfig({ readRate: 1 });
    expect(() => Object.assign(config, { readRate: 2 })).toThrow(TypeError);
  });
});

describe('levels', () => {
  inMemory((world) => {
    const limited = (config: TokenBucketConfig | null) => {
      const bev = world.keep(new SocketBufferevent(world.base));
      bev.setRateLimit(config);
      return bev;
    };

    it('RL-2: they start with the rate, gain it each tick, and stop at the burst: 100 → 300, 50 → 120', () => {
      const bev = limited(
        new TokenBucketConfig({ readRate: 100, readBurst: 300, writeRate: 50, writeBurst: 120, tickMs: 50 }),
      );
      const levels: number[][] = [];
      for (let tick = 0; tick <= 4; tick++) {
        levels.push([bev.readLimit, bev.writeLimit]);
        world.clock.advance(50);
      }
      expect(levels).toEqual([
        [100, 50],
        [200, 100],
        [300, 120],
        [300, 120],
        [300, 120],
      ]);
      bev.free();
    });

    it('RL-1: ticks begin at multiples of their length on the clock, so the first may come early', () => {
      world.clock.advance(1990);
      const bev = limited(new TokenBucketConfig({ readRate: 100, readBurst: 500 }));
      world.clock.advance(9);
      expect(bev.readLimit).toBe(100);
      world.clock.advance(1);
      expect(bev.readLimit).toBe(200);
      bev.free();
    });

    it('RL-4: a clock that goes back adds nothing, and ticks count from there; a huge jump fills to the burst', () => {
      world.clock.advance(100_000);
      const bev = limited(new TokenBucketConfig({ readRate: 100, readBurst: 500 }));
      world.clock.advance(-50_000);
      expect(bev.readLimit).toBe(100);
      world.clock.advance(1000);
      expect(bev.readLimit).toBe(200);
      world.clock.advance(1e15);
      expect(bev.readLimit).toBe(500);
      bev.free();
    });

    it('RL-5: what is given back above the burst is lost, and the level does not grow from it', () => {
      const bev = limited(new TokenBucketConfig({ readRate: 100 }));
      bev.debitRead(-50);
      const levels = [bev.readLimit];
      for (let times = 0; times < 3; times++) {
        world.clock.advance(10_000);
        levels.push(bev.readLimit);
      }
      expect(levels).toEqual([100, 100, 100, 100]);
      bev.debitRead(30);
      bev.debitRead(-10);
      expect(bev.readLimit).toBe(80);
      bev.free();
    });

    it('without a limit they are Infinity, whatever is charged', () => {
      const bev = limited(null);
      expect([bev.readLimit, bev.writeLimit, bev.rateLimit]).toEqual([Infinity, Infinity, null]);
      bev.debitRead(1000);
      bev.setRateLimit(new TokenBucketConfig({ writeRate: 10 }));
      bev.debitRead(1000);
      expect([bev.readLimit, bev.writeLimit]).toEqual([Infinity, 10]);
      world.clock.advance(5000);
      expect([bev.readLimit, bev.writeLimit]).toEqual([Infinity, 10]);
      bev.free();
      expect([bev.readLimit, bev.writeLimit, bev.rateLimit, bev.rateLimitGroup]).toEqual([
        Infinity,
        Infinity,
        null,
        null,
      ]);
    });

    it('another config only cuts; the same object does nothing; the first limit of a direction starts with the rate', () => {
      const first = new TokenBucketConfig({ readRate: 100, readBurst: 1000 });
      const bev = limited(first);
      expect(bev.rateLimit).toBe(first);
      world.clock.advance(4000);
      bev.setRateLimit(first);
      expect(bev.readLimit).toBe(500);
      bev.setRateLimit(new TokenBucketConfig({ readRate: 200, readBurst: 300, writeRate: 40, writeBurst: 90 }));
      expect([bev.readLimit, bev.writeLimit]).toEqual([300, 40]);
      bev.setRateLimit(new TokenBucketConfig({ readRate: 2000, writeRate: 40, writeBurst: 90, tickMs: 10 }));
      expect(bev.readLimit).toBe(300);
      world.clock.advance(10);
      expect([bev.readLimit, bev.writeLimit]).toEqual([2000, 80]);
      bev.setRateLimit(null);
      expect([bev.readLimit, bev.writeLimit, bev.rateLimit]).toEqual([Infinity, Infinity, null]);
      bev.free();
    });

    it('RL-6: what one operation may move is the least of the level, the share of the group and the cap', () => {
      const bev = world.keep(new SocketBufferevent(world.base));
      const { bytesPerTurn } = world.base.limits;
      expect([bev.maxToRead, bev.maxToWrite, bev.maxSingleRead]).toEqual([bytesPerTurn, bytesPerTurn, bytesPerTurn]);
      bev.setRateLimit(new TokenBucketConfig({ readRate: 2 ** 20, writeRate: 500 }));
      expect([bev.maxToRead, bev.maxToWrite]).toEqual([bytesPerTurn, 500]);
      bev.maxSingleRead = 16_384;
      bev.maxSingleWrite = 300;
      expect([bev.maxToRead, bev.maxToWrite, bev.maxSingleRead, bev.maxSingleWrite]).toEqual([
        16_384, 300, 16_384, 300,
      ]);
      const group = new RateLimitGroup(world.base, new TokenBucketConfig({ readRate: 1000, writeRate: 1000 }));
      group.add(bev);
      expect([bev.maxToRead, bev.maxToWrite]).toEqual([1000, 300]);
      bev.debitWrite(501);
      expect([bev.writeLimit, bev.maxToWrite]).toEqual([-1, 0]);
      bev.maxSingleRead = Infinity;
      expect(bev.maxSingleRead).toBe(bytesPerTurn);
      bev.free();
    });

    it('mistakes are refused: no config, no number of bytes, a freed connection', () => {
      const bev = limited(new TokenBucketConfig({ readRate: 1 }));
      for (const config of [undefined, 5, {}, { readRate: 5 }]) {
        expect(() => bev.setRateLimit(config as never)).toThrow(TypeError);
      }
      expect(() => bev.setRateLimit(null, { count: 'frames' as never })).toThrow(TypeError);
      expect(() => bev.setRateLimit(null, 5 as never)).toThrow(TypeError);
      expect(() => bev.debitRead(0.5)).toThrow(RangeError);
      expect(() => bev.debitWrite('5' as never)).toThrow(TypeError);
      for (const bytes of [0, -1, 1.5]) {
        expect(() => {
          bev.maxSingleRead = bytes;
        }).toThrow(RangeError);
      }
      bev.free();
      const freed = expect.objectContaining({ code: 'ERR_BUFFEREVENT_FREED' });
      expect(() => bev.setRateLimit(null)).toThrow(freed);
      expect(() => bev.debitRead(1)).toThrow(freed);
      expect(() => {
        bev.maxSingleWrite = 1;
      }).toThrow(freed);
    });
  });

  it('follow a model of four lines, whatever is charged, given back, configured, and however time passes (RL-1 to RL-5)', async () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant('advance' as const), ms: fc.integer({ min: -500, max: 2_000 }) }),
      fc.record({ act: fc.constant('debit' as const), bytes: fc.integer({ min: -2_000, max: 2_000 }) }),
      fc
        .record({
          act: fc.constant('configure' as const),
          rate: fc.integer({ min: 1, max: 500 }),
          extra: fc.nat({ max: 1_000 }),
          tickMs: fc.integer({ min: 1, max: 1_500 }),
        })
        .map((config) => ({ ...config, burst: config.rate + config.extra })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new ManualClock(10_000);
        await using base = new EventBase({ clock, backend: createMemoryBackend(new MemoryNetwork()) });
        const bev = new SocketBufferevent(base);
        let [rate, burst, tickMs] = [100, 300, 100];
        let level = rate;
        let tick = Math.floor(clock.now() / tickMs);
        bev.setRateLimit(new TokenBucketConfig({ readRate: rate, readBurst: burst, tickMs }));
        for (const next of steps) {
          if (next.act === 'advance') {
            // The timer of a deficit looks at the level on its way; going there at once must come to the same.
            clock.advance(next.ms);
            const now = Math.floor(clock.now() / tickMs);
            if (now > tick) level = Math.min(burst, level + rate * (now - tick));
            tick = now;
          } else if (next.act === 'debit') {
            bev.debitRead(next.bytes);
            level = Math.min(burst, level - next.bytes);
          } else {
            ({ rate, burst, tickMs } = next);
            bev.setRateLimit(new TokenBucketConfig({ readRate: rate, readBurst: burst, tickMs }));
            level = Math.min(burst, level);
            tick = Math.floor(clock.now() / tickMs);
          }
          expect(bev.readLimit).toBe(level);
          expect(bev.maxToRead).toBe(Math.max(0, level));
          expect(clock.pendingTimers).toBe(level <= 0 ? 1 : 0);
        }
        bev.free();
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: process.env['NIGHTLY'] ? 3_000 : 200 },
    );
  });
});

describe('a limited connection', () => {
  inMemory((world) => {
    it('RL-3: receives what was saved up, then one rate per tick: 300, 100, 100, …', async () => {
      const { onRead, arrivals } = meter(world);
      const { bev, peer } = await world.accepted({ onRead });
      bev.setRateLimit(new TokenBucketConfig({ readRate: 100, readBurst: 300, tickMs: 50 }));
      await world.advance(200);
      expect(bev.readLimit).toBe(300);
      peer.send(pattern(1000));
      await world.settle();
      // The receive in flight was asked for when the level was 100.
      expect(arrivals.splice(0)).toEqual(['100 at 200', '200 at 200']);
      for (let tick = 0; tick < 8; tick++) await world.advance(50);
      expect(arrivals).toEqual([250, 300, 350, 400, 450, 500, 550].map((at) => `100 at ${at}`));
      expect(bev.readLimit).toBe(100);
    });

    it('RL-3: sends what was saved up, then one rate per tick', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setRateLimit(new TokenBucketConfig({ writeRate: 100, writeBurst: 300, tickMs: 50 }));
      await world.advance(200);
      bev.write(pattern(1000));
      await world.settle();
      const received = [peer.receivedBytes];
      for (let tick = 0; tick < 8; tick++) {
        await world.advance(50);
        received.push(peer.receivedBytes);
      }
      expect(received).toEqual([300, 400, 500, 600, 700, 800, 900, 1000, 1000]);
      expect(same(peer.received, pattern(1000))).toBe(true);
    });

    it('RL-3: a deficit of 250 at 100 a tick is paid back in three ticks', async () => {
      const { onRead, arrivals } = meter(world);
      const { bev, peer } = await world.accepted({ onRead });
      bev.setRateLimit(new TokenBucketConfig({ readRate: 100, tickMs: 50 }));
      bev.debitRead(350);
      expect(bev.readLimit).toBe(-250);
      peer.send(pattern(70));
      await world.settle();
      await world.advance(149);
      expect(arrivals).toEqual([]);
      await world.advance(1);
      expect(arrivals).toEqual(['50 at 150']);
      await world.advance(50);
      expect(arrivals).toEqual(['50 at 150', '20 at 200']);
    });

    it('RL-3: a receive that is in flight is taken back when the level falls to 0, and bytes given back bring it again', async () => {
      const { onRead, arrivals } = meter(world);
      const { bev, peer } = await world.accepted({ onRead });
      bev.setRateLimit(new TokenBucketConfig({ readRate: 100 }));
      await world.settle();
      bev.debitRead(100);
      await world.settle();
      peer.send('hello');
      await world.settle();
      expect(arrivals).toEqual([]);
      bev.debitRead(-3);
      await world.settle();
      expect(arrivals).toEqual(['3 at 0']);
      bev.setRateLimit(null);
      await world.settle();
      expect(arrivals).toEqual(['3 at 0', '2 at 0']);
      expect(world.clock.pendingTimers).toBe(0);
    });

    it('a limit that is set while a receive is in flight holds for that one already', async () => {
      const { onRead, arrivals } = meter(world);
      const { bev, peer } = await world.accepted({ onRead });
      await world.settle();
      bev.setRateLimit(new TokenBucketConfig({ readRate: 10 }));
      await world.settle();
      peer.send(pattern(100));
      await world.settle();
      expect(arrivals).toEqual(['10 at 0']);
    });

    it('RL-6: the cap of one operation cuts bytes into pieces, and holds none back', async () => {
      const { onRead, arrivals } = meter(world);
      const { bev, peer } = await world.accepted({ onRead });
      bev.maxSingleRead = 40;
      await world.settle();
      peer.send(pattern(100));
      await world.settle();
      expect(arrivals).toEqual(['40 at 0', '40 at 0', '20 at 0']);
    });

    it('RL-12: an allowance of 0 asks for nothing at all', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setRateLimit(new TokenBucketConfig({ readRate: 10, writeRate: 10 }));
      bev.debitRead(10);
      bev.debitWrite(10);
      await world.settle();
      const { batches } = world.base.stats().port;
      expect(bev.maxToRead).toBe(0);
      bev.write('x');
      peer.send('y');
      await world.settle();
      expect(world.base.stats().port).toMatchObject({ batches, pending: 0 });
      await world.advance(1000);
      expect([world.log, peer.receivedBytes]).toEqual([expect.arrayContaining(['server read 1', 'server write']), 1]);
    });

    it('TO-1: the read time-out stands still while the limit suspends: 10 bytes a tick, until there are no more', async () => {
      const { bev, peer } = await world.accepted(world.record('server', { onRead: (at) => at.input.drain(10) }));
      bev.setRateLimit(new TokenBucketConfig({ readRate: 10, tickMs: 200 }));
      bev.setTimeouts({ readMs: 50 });
      peer.send(pattern(25));
      await world.settle();
      await world.advance(200);
      await world.advance(200);
      await world.advance(49);
      expect(world.log).toEqual(['server read 10', 'server read 10', 'server read 5']);
      await world.advance(1);
      expect(world.log.at(-1)).toBe('server timeout read');
    });

    it('TO-3: the write time-out stands still while the limit suspends', async () => {
      const { bev } = await world.accepted(world.record('server'));
      bev.setRateLimit(new TokenBucketConfig({ writeRate: 10, tickMs: 200 }));
      bev.setTimeouts({ writeMs: 50 });
      bev.write(pattern(25));
      await world.settle();
      for (let tick = 0; tick < 5; tick++) await world.advance(200);
      expect(world.log).toEqual(['server write']);
    });

    it('RD-9: neither enabling nor a watermark lifts the suspension, and the end is seen after the bytes', async () => {
      const { onRead, arrivals } = meter(world);
      const { bev, peer } = await world.accepted(world.record('server', { onRead }));
      bev.setRateLimit(new TokenBucketConfig({ readRate: 10 }));
      peer.send(pattern(15));
      peer.end();
      await world.settle();
      bev.disable('read');
      bev.enable('read');
      bev.setWatermarks('read', { high: 5 });
      bev.setWatermarks('read', { high: 0 });
      await world.settle();
      expect(arrivals).toEqual(['10 at 0']);
      await world.advance(1000);
      expect(arrivals).toEqual(['10 at 0', '5 at 1000']);
      expect(world.log.at(-1)).toBe('server eof');
    });

    it('a pull waits for the ticks it needs', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setRateLimit(new TokenBucketConfig({ readRate: 10 }));
      peer.send(pattern(25));
      const read = bev.read(25);
      await world.settle();
      await world.advance(1000);
      expect(bev.input.length).toBe(20);
      await world.advance(1000);
      expect(same((await read) as Uint8Array, pattern(25))).toBe(true);
    });

    it('no timer is set at rest; one while either direction waits, gone with the wait, the limit or the connection', async () => {
      const { bev, peer } = await world.accepted({ onRead: (at) => at.input.drain(at.input.length) });
      const { clock } = world;
      const config = new TokenBucketConfig({ readRate: 10, writeRate: 10 });
      bev.setRateLimit(config);
      await world.advance(5000);
      expect(clock.pendingTimers).toBe(0);
      peer.send(pattern(5));
      await world.settle();
      expect(clock.pendingTimers).toBe(0);
      peer.send(pattern(5));
      bev.write(pattern(10));
      await world.settle();
      expect([bev.readLimit, bev.writeLimit, clock.pendingTimers]).toEqual([0, 0, 1]);
      await world.advance(1000);
      expect([bev.readLimit, bev.writeLimit, clock.pendingTimers]).toEqual([10, 10, 0]);
      bev.debitRead(500);
      expect(clock.pendingTimers).toBe(1);
      bev.setRateLimit(null);
      expect(clock.pendingTimers).toBe(0);
      bev.setRateLimit(config);
      bev.debitRead(500);
      expect(clock.pendingTimers).toBe(1);
      bev.free();
      expect(clock.pendingTimers).toBe(0);
    });

    it('bytes given back shorten the wait for the rest', async () => {
      const { onRead, arrivals } = meter(world);
      const { bev, peer } = await world.accepted({ onRead });
      bev.setRateLimit(new TokenBucketConfig({ readRate: 10 }));
      bev.debitRead(500);
      bev.debitRead(-475);
      peer.send('hello');
      await world.settle();
      await world.advance(1999);
      expect(arrivals).toEqual([]);
      await world.advance(1);
      expect(arrivals).toEqual(['5 at 2000']);
    });

    it('a deep deficit is waited for once, not tick by tick', async () => {
      const { bev } = await world.accepted({ onRead() {} });
      bev.setRateLimit(new TokenBucketConfig({ readRate: 1, tickMs: 1 }));
      let timers = 0;
      const { setTimer } = world.clock;
      world.clock.setTimer = (callback, delayMs) => {
        timers += 1;
        return setTimer.call(world.clock, callback, delayMs);
      };
      bev.debitRead(5001);
      await world.advance(5000);
      expect([bev.readLimit, timers]).toEqual([0, 1]);
      await world.advance(1);
      expect([bev.readLimit, world.clock.pendingTimers]).toEqual([1, 0]);
    });

    it('may be limited, unlimited and freed in its own callbacks', async () => {
      const config = new TokenBucketConfig({ readRate: 10 });
      const seen: number[] = [];
      const { peer } = await world.accepted({
        onRead(bev) {
          seen.push(bev.input.length);
          bev.input.drain(bev.input.length);
          if (seen.length === 1) bev.setRateLimit(config);
          else if (seen.length === 2) bev.setRateLimit(null);
          else bev.free();
        },
      });
      peer.send(pattern(5));
      await world.settle();
      peer.send(pattern(100));
      await world.settle();
      expect(seen).toEqual([5, 10, 90]);
    });

    it('RL-15: parts of files are sent within the limit too', async () => {
      const calls: number[] = [];
      const { plain } = world;
      const backend: Backend = {
        ...plain,
        createPort(sink, options) {
          const port = plain.createPort(sink, options);
          const sendFile = port.sendFile.bind(port);
          port.sendFile = (stream, descriptor, offset, length) => {
            calls.push(length);
            sendFile(stream, descriptor, offset, length);
          };
          return port;
        },
      };
      const { bev, peer } = await world.accepted({}, { base: world.newBase({ backend }) });
      bev.setRateLimit(new TokenBucketConfig({ writeRate: 1000 }));
      const bytes = pattern(2500);
      const descriptor = world.network.openFile(bytes);
      bev.output.addFileSegment(new ScriptedFile(bytes, false, descriptor));
      await world.settle();
      for (let tick = 0; tick < 2; tick++) await world.advance(1000);
      expect([calls, same(peer.received, bytes)]).toEqual([[1000, 1000, 500], true]);
      world.network.closeDescriptor(descriptor);
    });

    it('RL-11: bytes on the wire and those of the user are the same without a layer: each is charged once', async () => {
      for (const count of ['wire', 'payload'] as const) {
        const { onRead, arrivals } = meter(world);
        const { bev, peer } = await world.accepted({ onRead });
        const now = world.clock.now();
        bev.setRateLimit(new TokenBucketConfig({ readRate: 10, writeRate: 10 }), { count });
        const group = new RateLimitGroup(world.base, new TokenBucketConfig({ readRate: 15 }), { count });
        group.add(bev);
        peer.send(pattern(20));
        bev.write(pattern(3));
        await world.settle();
        expect([arrivals, bev.readLimit, bev.writeLimit]).toEqual([[`10 at ${now}`], 0, 7]);
        expect([group.readLimit, group.totals]).toEqual([5, { read: 10, written: 3 }]);
        bev.free();
      }
    });

    it('end() sends what is queued at the speed allowed, then closes', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setRateLimit(new TokenBucketConfig({ writeRate: 100 }));
      bev.write(pattern(1000));
      const cause = bev.end();
      await world.settle();
      for (let tick = 0; tick < 9; tick++) {
        expect(peer.ended).toBe(false);
        await world.advance(1000);
      }
      expect([peer.receivedBytes, peer.ended]).toEqual([1000, true]);
      peer.end();
      expect((await cause).kind).toBe('clean');
    });
  });

  onEveryBackend((world) => {
    it('loses, doubles and reorders no byte in either direction', async () => {
      const toServer = pattern(world.bytes(20 * KiB), 1);
      const toClient = pattern(world.bytes(20 * KiB), 2);
      const server = new Collector();
      const client = new Collector();
      const ends = await world.pair({ onRead: client.take }, { onRead: server.take });
      const rate = Math.ceil(toServer.length / 7);
      ends.server.setRateLimit(new TokenBucketConfig({ readRate: rate, writeRate: rate, tickMs: 20 }));
      ends.client.setRateLimit(new TokenBucketConfig({ readRate: rate, readBurst: 2 * rate, tickMs: 10 }));
      ends.client.write(toServer);
      ends.server.write(toClient);
      const complete = () => server.bytes >= toServer.length && client.bytes >= toClient.length;
      while (world.isMemory && !complete()) await world.advance(10);
      await world.until(complete, 'all bytes');
      expect(same(server.data, toServer)).toBe(true);
      expect(same(client.data, toClient)).toBe(true);
      ends.client.free();
      ends.server.free();
    });
  });
});
