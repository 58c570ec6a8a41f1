// Rate limits of groups: shares, waiting, membership. RL-7 to RL-10, B135–B139.
import {
  type Bufferevent,
  type BuffereventHandlers,
  connect,
  EventBase,
  listen,
  RateLimitGroup,
  type SocketBufferevent,
  TokenBucketConfig,
} from 'bufferevent';
import { ManualClock } from 'bufferevent/testing';
import { createMemoryBackend, MemoryNetwork, withFaults } from 'bufferevent-backend/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KiB, pattern, same } from './support/bytes.js';
import { Collector } from './support/recorder.js';
import { turns } from './support/wait.js';
import { inMemory, ipOf, onEveryBackend, type World } from './support/world.js';

/** Takes everything, and counts it in `context`. */
const counting: BuffereventHandlers = {
  onRead(bev) {
    const received = bev.context as Received;
    received.bytes += bev.input.length;
    received.pieces.push(bev.input.length);
    bev.input.drain(bev.input.length);
  },
};

/**
 * So many connections, both ends of which receive. (Over memory that has nothing in flight anywhere, turns are left to a
 * timer of the process: with an end that always receives, nothing is late.)
 */
async function connections(world: World, count: number, base = world.base) {
  const arrived: SocketBufferevent[] = [];
  const listener = await world.listen(
    {
      ...counting,
      onConnection(bev) {
        bev.context = { bytes: 0, pieces: [] } satisfies Received;
        arrived.push(world.keep(bev));
      },
    },
    { base },
  );
  const clients = Array.from({ length: count }, async () => {
    const bev = await world.connect(listener, counting, { base });
    bev.context = { bytes: 0, pieces: [] } satisfies Received;
    return bev;
  });
  const dialled = await Promise.all(clients);
  await world.until(() => arrived.length === count, 'the connections');
  await listener.close();
  return { members: arrived, peers: dialled };
}

interface Received {
  bytes: number;
  pieces: number[];
}

const receivedBy = (bev: Bufferevent): Received => bev.context as Received;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

describe('a group', () => {
  inMemory((world) => {
    const groupOf = (members: readonly Bufferevent[], config: TokenBucketConfig) => {
      const group = new RateLimitGroup(world.base, config);
      for (const member of members) group.add(member);
      return group;
    };

    for (const direction of ['read', 'write'] as const) {
      it(`RL-7: one member that moves bytes has the whole rate, though 1,000 others are at rest (${direction})`, async () => {
        const { members, peers } = await connections(world, 1001);
        const config = new TokenBucketConfig({ readRate: 6000, writeRate: 6000, tickMs: 100 });
        const group = groupOf(direction === 'read' ? members : peers, config);
        peers[500]?.write(pattern(100_000));
        const received = [];
        for (let tick = 0; tick < 6; tick++) {
          await world.settle();
          received.push(group.totals[direction === 'read' ? 'read' : 'written']);
          await world.advance(100);
        }
        expect(received).toEqual([6000, 12_000, 18_000, 24_000, 30_000, 36_000]);
      });
    }

    it('RL-7, RL-8: members that move bytes share what is left, so that it is used up in ever smaller pieces', async () => {
      const { members, peers } = await connections(world, 3);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 100, tickMs: 50 }));
      group.minShare = 10;
      await world.settle();
      for (const peer of peers) peer.write(pattern(1000));
      await world.settle();
      expect(group.readLimit).toBe(-29); // 100 − 3·33 = 1, which is less than 10 for each
      await world.advance(50);
      expect(group.readLimit).toBe(-28); // 71 − 3·23 = 2
      for (const member of members) expect(receivedBy(member).pieces).toEqual([33, 10, 23, 10]);
    });

    it('RL-8: a lone mover is given all that is left once it has moved', async () => {
      const { members, peers } = await connections(world, 4);
      groupOf(members, new TokenBucketConfig({ readRate: 400, tickMs: 50 }));
      await world.settle();
      peers[0]?.write(pattern(2000));
      await world.settle();
      await world.advance(50);
      expect(receivedBy(members[0] as Bufferevent).pieces).toEqual([100, 300, 400]);
    });

    for (const ticks of [1, 3]) {
      it(`RL-7: members that come to rest keep no large share in flight (one mover every ${ticks} ticks)`, async () => {
        const { members, peers } = await connections(world, 10);
        const group = groupOf(members, new TokenBucketConfig({ readRate: 1000, readBurst: 100_000, tickMs: 50 }));
        await world.advance(4000);
        for (const peer of peers) {
          peer.write(pattern(300));
          await world.settle();
          await world.advance(50 * ticks);
        }
        const before = members.map((member) => receivedBy(member).pieces.length);
        for (const peer of peers) peer.write(pattern(16_000));
        await world.settle();
        const first = members.map((member, index) => receivedBy(member).pieces[before[index] as number] as number);
        // The last two or so still count as movers, and share what is left.
        for (const bytes of first.slice(0, 7)) expect(bytes).toBeLessThanOrEqual(group.config.readBurst / 10);
        expect(Math.max(...first)).toBeGreaterThan(group.config.readBurst / 10);
      });
    }

    it('RL-7: those that wake up all at once overdraw by little, and the ticks that follow pay for it', async () => {
      const { members, peers } = await connections(world, 50);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 5000, tickMs: 50 }));
      await world.settle();
      for (const peer of peers) peer.write(pattern(10_000));
      await world.settle();
      expect(group.totals.read).toBeLessThanOrEqual(5000 + 50 * group.minShare);
      for (let tick = 0; tick < 39; tick++) await world.advance(50);
      expect(group.totals.read).toBeGreaterThan(40 * 5000 - 5000);
      expect(group.totals.read).toBeLessThanOrEqual(40 * 5000 + 50 * group.minShare);
    });

    it('RL-7: a rate too small for all serves some each tick, in turn, so that each gets the same', async () => {
      const { members, peers } = await connections(world, 20);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 128, tickMs: 10 }));
      await world.settle();
      for (const peer of peers) peer.write(pattern(10_000));
      await world.settle();
      const inOneTick: number[] = [];
      for (let tick = 0; tick < 500; tick++) {
        await turns(10);
        const before = group.totals.read;
        world.clock.advance(10);
        await turns(10);
        inOneTick.push(group.totals.read - before);
      }
      expect(Math.max(...inOneTick)).toBeLessThanOrEqual(128 + 64);
      const bytes = members.map((member) => receivedBy(member).bytes);
      expect(sum(bytes)).toBeGreaterThan(128 * 480);
      expect(sum(bytes)).toBeLessThanOrEqual(128 * 501 + 20 * 64);
      expect(Math.max(...bytes) - Math.min(...bytes)).toBeLessThanOrEqual(128);
    });

    it('RL-7: members wait until there is as much as the least share', async () => {
      const { members, peers } = await connections(world, 1);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 100 }));
      group.debitRead(190);
      peers[0]?.write(pattern(500));
      await world.settle();
      await world.advance(1000);
      expect([group.readLimit, group.totals.read]).toEqual([10, 0]);
      await world.advance(1000);
      expect(group.totals.read).toBe(100);
    });

    it('RL-7: a send that ends while the group has nothing left is charged, and its member counts once', async () => {
      const { members, peers } = await connections(world, 2);
      const [member] = members as [SocketBufferevent];
      const group = groupOf(members, new TokenBucketConfig({ writeRate: 50_000, tickMs: 50 }));
      peers[0]?.disable('read');
      await world.settle();
      member.write(pattern(20_000));
      await world.settle();
      expect(member.output.length).toBeGreaterThan(0); // The network holds no more: the rest is in flight.
      group.debitWrite(group.writeLimit);
      await world.settle();
      expect(member.maxToWrite).toBe(0);
      peers[0]?.enable('read');
      await world.settle();
      expect([member.output.length, group.totals.written]).toEqual([0, 20_000]);
      await world.advance(50);
      expect([group.writeLimit, member.maxToWrite]).toEqual([50_000 - 3_616, 50_000 - 3_616]);
    });

    it('TO-3: a send that the peer does not take times out, whatever the group has left meanwhile', async () => {
      const { members, peers } = await connections(world, 2);
      const [member] = members as [SocketBufferevent];
      const group = groupOf(members, new TokenBucketConfig({ writeRate: 50_000, tickMs: 50 }));
      peers[0]?.disable('read');
      member.setHandlers(world.record('member'));
      member.setTimeouts({ writeMs: 120 });
      member.write(pattern(20_000));
      await world.settle();
      for (let tick = 0; tick < 3; tick++) {
        group.debitWrite(group.writeLimit);
        member.write('more');
        await world.advance(40);
      }
      expect(world.log).toEqual(['member timeout write']);
    });

    it('RL-6: a member with a limit of its own has the least of both, and both are charged', async () => {
      const { members, peers } = await connections(world, 2);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 1000 }));
      const [slow, fast] = members as [SocketBufferevent, SocketBufferevent];
      slow.setRateLimit(new TokenBucketConfig({ readRate: 100 }));
      for (const peer of peers) peer.write(pattern(5000));
      await world.settle();
      expect([receivedBy(slow).bytes, slow.readLimit]).toEqual([100, 0]);
      expect(receivedBy(fast).bytes).toBe(group.totals.read - 100);
      expect(group.readLimit).toBeLessThanOrEqual(0);
      fast.setRateLimit(new TokenBucketConfig({ readRate: 10_000 }));
      expect(fast.maxToRead).toBe(0);
    });

    it('the least share is 64 bytes, is never above the rates in effect, and is remembered', async () => {
      const { members } = await connections(world, 10);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 20, writeRate: 300 }));
      const [member] = members as [SocketBufferevent];
      expect([group.minShare, member.maxToRead, member.maxToWrite]).toEqual([64, 20, 30]);
      group.setConfig(new TokenBucketConfig({ readRate: 500, readBurst: 500, writeRate: 500 }));
      expect([member.maxToRead, member.maxToWrite]).toEqual([64, 64]);
      group.minShare = 1;
      expect([member.maxToRead, member.maxToWrite]).toEqual([2, 30]);
      for (const bytes of [0, -1, 2.5]) {
        expect(() => {
          group.minShare = bytes;
        }).toThrow(RangeError);
      }
    });

    it('RL-9: who joins a group that has nothing left waits; who leaves goes on', async () => {
      const { members, peers } = await connections(world, 2);
      const [first, second] = members as [SocketBufferevent, SocketBufferevent];
      const group = groupOf([first], new TokenBucketConfig({ readRate: 100, writeRate: 100 }));
      group.debitRead(500);
      group.debitWrite(500);
      group.add(second);
      await world.settle();
      expect([second.maxToRead, second.maxToWrite]).toEqual([0, 0]);
      for (const peer of peers) peer.write('hello');
      second.write('world');
      await world.settle();
      expect([receivedBy(first).bytes, receivedBy(second).bytes, second.output.length]).toEqual([0, 0, 5]);
      expect(world.clock.pendingTimers).toBe(1);
      group.remove(second);
      await world.settle();
      expect([receivedBy(first).bytes, receivedBy(second).bytes, second.output.length]).toEqual([0, 5, 0]);
      group.remove(first);
      await world.settle();
      expect([receivedBy(first).bytes, group.size, world.clock.pendingTimers]).toEqual([5, 0, 0]);
      expect(group.totals).toEqual({ read: 0, written: 0 });
    });

    it('RL-10: levels are those of now; they are charged and given back by hand, up to the burst (RL-5)', async () => {
      const { members, peers } = await connections(world, 3);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 100, readBurst: 250, writeRate: 10 }));
      expect([group.readLimit, group.writeLimit]).toEqual([100, 10]);
      world.clock.advance(1000);
      expect([group.readLimit, group.writeLimit]).toEqual([200, 10]);
      group.debitRead(-500);
      group.debitWrite(30);
      expect([group.readLimit, group.writeLimit]).toEqual([250, -20]);
      group.debitRead(250);
      await world.settle();
      for (const peer of peers) peer.write(pattern(100));
      await world.settle();
      expect(group.totals.read).toBe(0);
      group.debitRead(-90);
      await world.settle();
      expect(group.totals.read).toBeGreaterThanOrEqual(90);
      expect(() => group.debitRead(1.5)).toThrow(RangeError);
      expect(() => group.debitWrite(undefined as never)).toThrow(TypeError);
    });

    it('another config cuts what was saved up, and lets members go on when there is enough', async () => {
      const { members, peers } = await connections(world, 2);
      const config = new TokenBucketConfig({ readRate: 10, readBurst: 1000, tickMs: 100 });
      const group = groupOf(members, config);
      await world.advance(10_000);
      expect(group.readLimit).toBe(1000);
      group.setConfig(config);
      expect([group.readLimit, group.config]).toEqual([1000, config]);
      group.setConfig(new TokenBucketConfig({ readRate: 5, readBurst: 50, tickMs: 1000 }));
      expect(group.readLimit).toBe(50);
      for (const peer of peers) peer.write(pattern(500));
      await world.settle();
      expect(group.readLimit).toBeLessThanOrEqual(0);
      group.setConfig(new TokenBucketConfig({ writeRate: 5 }));
      await world.settle();
      expect([group.readLimit, group.totals.read, world.clock.pendingTimers]).toEqual([Infinity, 1000, 0]);
    });

    it('counts what its members move in both directions, beyond every limit, until reset', async () => {
      const { members, peers } = await connections(world, 3);
      const group = groupOf(members, new TokenBucketConfig({}));
      for (const peer of peers) peer.write(pattern(70));
      for (const member of members) member.write(pattern(20));
      await world.settle();
      expect(group.totals).toEqual({ read: 210, written: 60 });
      group.resetTotals();
      members[0]?.write('x');
      await world.settle();
      expect(group.totals).toEqual({ read: 0, written: 1 });
    });

    it('has a member once; another group takes it over; who is no member is not removed', async () => {
      const { members } = await connections(world, 2);
      const [first, second] = members as [SocketBufferevent, SocketBufferevent];
      const config = new TokenBucketConfig({ readRate: 100 });
      const [one, other] = [groupOf([first, first], config), groupOf([], config)];
      expect([one.size, first.rateLimitGroup]).toEqual([1, one]);
      other.remove(first);
      one.remove(second);
      expect([one.size, first.rateLimitGroup, second.rateLimitGroup]).toEqual([1, one, null]);
      other.add(first);
      expect([one.size, other.size, first.rateLimitGroup]).toEqual([0, 1, other]);
      other.remove(first);
      other.remove(first);
      expect([other.size, first.rateLimitGroup, first.maxToRead]).toEqual([0, null, world.base.limits.bytesPerTurn]);
    });

    it('takes members of its own base only, and none that is freed', async () => {
      const { members } = await connections(world, 1);
      const [bev] = members as [SocketBufferevent];
      const config = new TokenBucketConfig({ readRate: 100 });
      expect(() => new RateLimitGroup(world.newBase(), config).add(bev)).toThrow(TypeError);
      const group = new RateLimitGroup(world.base, config);
      for (const none of [null, {}, 5]) expect(() => group.add(none as never)).toThrow(TypeError);
      bev.free();
      expect(() => group.add(bev)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_FREED' }));
      group.remove(bev);
      expect(() => new RateLimitGroup({} as never, config)).toThrow(TypeError);
      expect(() => new RateLimitGroup(world.base, { readRate: 5 } as never)).toThrow(TypeError);
      expect(() => new RateLimitGroup(world.base, config, { count: 5 as never })).toThrow(TypeError);
      expect(() => group.setConfig(null as never)).toThrow(TypeError);
    });

    it('is left by a member that is freed, also while it waits, and in its own callback', async () => {
      const { members, peers } = await connections(world, 4);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 100, tickMs: 50 }));
      const [first, second, third, fourth] = members as [
        SocketBufferevent,
        SocketBufferevent,
        SocketBufferevent,
        SocketBufferevent,
      ];
      second.setHandlers({ onRead: (bev) => bev.free() });
      third.setHandlers({
        onRead(bev) {
          group.remove(bev);
          fourth.free();
        },
      });
      for (const peer of peers) peer.write(pattern(1000));
      await world.settle();
      expect([group.size, second.freed, fourth.freed]).toEqual([1, true, true]);
      expect(world.clock.pendingTimers).toBe(1);
      first.free();
      expect([group.size, world.clock.pendingTimers]).toEqual([0, 0]);
      const read = group.totals.read;
      await world.advance(500);
      expect([group.totals.read, third.input.length]).toEqual([read, 1000]);
    });

    it('sets one timer for all who wait, and none while nobody does, whatever it owes', async () => {
      const { members, peers } = await connections(world, 10);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 1000, writeRate: 1000 }));
      await world.settle();
      expect(world.clock.pendingTimers).toBe(0);
      for (const bev of [...peers, ...members]) bev.write(pattern(5000));
      await world.settle();
      expect(world.clock.pendingTimers).toBe(1);
      for (const member of members) member.disable('read', 'write');
      await world.advance(60_000);
      expect(world.clock.pendingTimers).toBe(0);
      group.debitRead(1e9);
      await world.settle();
      expect(world.clock.pendingTimers).toBe(0);
    });

    it('10,000 members at rest cost nothing: no timer, no operation, no callback, while one of them is busy', async () => {
      const { members, peers } = await connections(world, 10_000);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 6000, tickMs: 100 }));
      await world.settle();
      const { batches, completions } = world.base.stats().port;
      await world.advance(60_000);
      expect(world.base.stats().port).toMatchObject({ batches, completions });
      expect(world.clock.pendingTimers).toBe(0);
      peers[0]?.write(pattern(20_000));
      await world.settle();
      for (let tick = 0; tick < 4; tick++) await world.advance(100);
      expect(group.totals.read).toBe(20_000);
      expect(world.base.stats().port.completions - completions).toBeLessThan(100);
    }, 60_000);

    it('bytes given back shorten the wait of its members for the rest', async () => {
      const { members, peers } = await connections(world, 2);
      const group = groupOf(members, new TokenBucketConfig({ readRate: 100 }));
      group.debitRead(5000);
      for (const peer of peers) peer.write('hello');
      await world.settle();
      group.debitRead(-4950);
      await world.advance(999);
      expect(group.totals.read).toBe(0);
      await world.advance(1);
      expect([group.totals.read, world.clock.pendingTimers]).toEqual([10, 0]);
    });

    it('dies with the base: members that wait leave no timer behind', async () => {
      const base = world.newBase();
      const { members, peers } = await connections(world, 3, base);
      const group = new RateLimitGroup(base, new TokenBucketConfig({ readRate: 10 }));
      for (const member of members) group.add(member);
      for (const peer of peers) peer.write(pattern(100));
      await world.settle();
      expect(world.clock.pendingTimers).toBe(1);
      await base[Symbol.asyncDispose]();
      expect([group.size, world.clock.pendingTimers]).toEqual([0, 0]);
    });
  });

  onEveryBackend((world) => {
    it('loses, doubles and reorders no byte of its members', async () => {
      const group = new RateLimitGroup(
        world.base,
        new TokenBucketConfig({ readRate: 2000, writeRate: 2000, tickMs: 20 }),
      );
      const bytes = world.bytes(5 * KiB);
      const collectors: Collector[] = [];
      for (let index = 0; index < 4; index++) {
        const collector = new Collector();
        const { client, server } = await world.pair({}, { onRead: collector.take });
        collectors.push(collector);
        group.add(server);
        group.add(client);
        client.write(pattern(bytes, index));
      }
      const complete = () => collectors.every((collector) => collector.bytes >= bytes);
      while (world.isMemory && !complete()) await world.advance(20);
      await world.until(complete, 'all bytes');
      for (const [index, { data }] of collectors.entries()) expect(same(data, pattern(bytes, index))).toBe(true);
      expect(group.totals).toEqual({ read: 4 * bytes, written: 4 * bytes });
    });
  });
});

describe('random scripts', () => {
  const MEMBERS = 4;
  const config = new TokenBucketConfig({ readRate: 200, readBurst: 500, writeRate: 200, writeBurst: 500, tickMs: 10 });
  const own = new TokenBucketConfig({ readRate: 30, readBurst: 90, writeRate: 50, tickMs: 7 });

  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ act: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 900 }) }),
    },
    { weight: 6, arbitrary: fc.record({ act: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 25 }) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('add' as const, 'remove' as const) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('limit' as const, 'lift' as const) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('enable' as const, 'disable' as const) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('free' as const) }) },
  );
  const script = fc.array(fc.tuple(fc.nat({ max: MEMBERS - 1 }), step), { minLength: 10, maxLength: 60 });

  it('spend no more than the ticks have brought, lose no byte, stall nobody and leave no timer (RL-3, RL-7, RL-9)', async () => {
    await fc.assert(
      fc.asyncProperty(script, async (steps) => {
        const clock = new ManualClock();
        const network = new MemoryNetwork({ capacity: 4_096 });
        const plain = createMemoryBackend(network);
        await using base = new EventBase({ clock, backend: withFaults(plain, { maxRecv: 300, maxSend: 250 }) });
        const received = Array.from({ length: MEMBERS }, () => new Collector());
        const members: SocketBufferevent[] = [];
        const listener = await listen(
          { ip: '127.0.0.1', port: 0 },
          { onConnection: (bev) => void members.push(bev) },
          { base },
        );
        const peers: SocketBufferevent[] = [];
        for (const [index, collector] of received.entries()) {
          // It always receives: see `connections`.
          peers.push(await connect(ipOf(listener), { onRead: () => undefined }, { base }));
          while (members.length <= index) await turns(1);
          members[index]?.setHandlers({ onRead: collector.take });
          members[index]?.enable('read');
        }
        await listener.close();
        const group = new RateLimitGroup(base, config);
        group.minShare = 20;
        const inGroup = new Set<number>();
        const sent = received.map(() => 0);
        const start = clock.now();

        for (const [index, next] of steps) {
          const member = members[index] as SocketBufferevent;
          if (member.freed) continue;
          switch (next.act) {
            case 'write':
              peers[index]?.write(pattern(20_000, index).subarray(sent[index], (sent[index] as number) + next.bytes));
              sent[index] = Math.min(20_000, (sent[index] as number) + next.bytes);
              break;
            case 'advance':
              await turns(12);
              clock.advance(next.ms);
              await turns(12);
              break;
            case 'add':
              group.add(member);
              inGroup.add(index);
              break;
            case 'remove':
              group.remove(member);
              inGroup.delete(index);
              break;
            case 'limit':
              member.setRateLimit(own);
              break;
            case 'lift':
              member.setRateLimit(null);
              break;
            case 'free':
              member.free();
              inGroup.delete(index);
              break;
            default:
              member[next.act]('read');
          }
          expect(group.size).toBe(inGroup.size);
          const ticks = Math.floor(clock.now() / 10) - Math.floor(start / 10);
          // Beyond what the ticks have brought: a share that each member had in flight.
          expect(group.totals.read).toBeLessThanOrEqual(200 * (ticks + 1) + MEMBERS * 500);
          expect(group.readLimit).toBeLessThanOrEqual(500);
          expect(clock.pendingTimers).toBeLessThanOrEqual(MEMBERS + 1);
        }

        const alive = members.flatMap((member, index) => (member.freed ? [] : [index]));
        for (const index of alive) members[index]?.enable('read');
        const complete = () => alive.every((index) => received[index]?.bytes === sent[index]);
        for (let tick = 0; tick < 3_000 && !complete(); tick++) {
          clock.advance(10);
          await turns(4);
        }
        for (const index of alive) {
          expect(received[index]?.bytes, `member ${index}`).toBe(sent[index]);
          expect(same(received[index]?.data as Buffer, pattern(20_000, index).subarray(0, sent[index]))).toBe(true);
        }
        for (const member of members) member.free();
        expect([group.size, clock.pendingTimers]).toEqual([0, 0]);
      }),
      { numRuns: process.env['NIGHTLY'] ? 1_000 : 40 },
    );
  }, 120_000);
});
