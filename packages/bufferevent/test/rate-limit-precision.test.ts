// How exactly limits are kept: libevent's test-ratelim (30 echo connections, RL-13), and one fast connection.
import { setTimeout as wait } from 'node:timers/promises';
import { type BuffereventHandlers, RateLimitGroup, type SocketBufferevent, TokenBucketConfig } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { KiB, MiB, pattern } from './support/bytes.js';
import { sockets } from './support/system-backends.js';
import { inMemory, inWorlds, type World } from './support/world.js';

const CONNECTIONS = 30;
const SECONDS = 5;
const TICK_MS = 100;
const nightly = process.env['NIGHTLY'] === '1';

/** Bytes per second, and bytes per tick that are taken out of the group by hand. */
interface Limits {
  readonly group?: number;
  readonly connection?: number;
  readonly drained?: number;
}

interface Tolerance {
  readonly total?: number;
  readonly average?: number;
  readonly deviation: number;
}

const cases: readonly (readonly [name: string, limits: Limits, tolerance: Tolerance])[] = [
  ['group', { group: 30_000 }, { total: 1000, deviation: 100 }],
  ['connection', { connection: 1000 }, { average: 50, deviation: 50 }],
  ['both', { connection: 1000, group: 30_000 }, { total: 1000, average: 50, deviation: 50 }],
  ['group, drained', { connection: 1000, group: 35_000, drained: 500 }, { total: 1000, average: 50, deviation: 50 }],
];

const perTick = (perSecond: number): TokenBucketConfig => {
  const rate = (perSecond * TICK_MS) / 1000;
  return new TokenBucketConfig({
    readRate: rate,
    readBurst: 4 * rate,
    writeRate: rate,
    writeBurst: 4 * rate,
    tickMs: TICK_MS,
  });
};

/** Echoes; stops reading while too much is queued. */
const echo: BuffereventHandlers = {
  onRead(bev) {
    bev.write(bev.input);
    if (bev.output.length > 1_024_000) bev.disable('read');
  },
  onWrite(bev) {
    if (bev.output.length < 512_000) bev.enable('read');
  },
};

const chunk = pattern(8 * KiB);

/** Counts in `context` what comes back, and always has 8 KiB to send. */
const talker: BuffereventHandlers = {
  onRead(bev) {
    bev.context = (bev.context as number) + bev.input.length;
    bev.input.drain(bev.input.length);
  },
  onWrite(bev) {
    bev.write(chunk);
  },
};

/** Limits that many talking connections; answers with a function that drains by hand, and who talks. */
async function talk(world: World, { group: groupRate, connection, drained = 0 }: Limits) {
  const clients: SocketBufferevent[] = [];
  for (let index = 0; index < CONNECTIONS; index++) clients.push((await world.pair(talker, echo)).client);
  const group = groupRate === undefined ? null : new RateLimitGroup(world.base, perTick(groupRate));
  const config = connection === undefined ? null : perTick(connection);
  for (const client of clients) {
    client.context = 0;
    client.setWatermarks('write', { low: chunk.length });
    client.setRateLimit(config);
    expect(client.rateLimit).toBe(config);
    group?.add(client);
    client.write(chunk);
    client.write(chunk);
  }
  const drain = (): void => {
    group?.debitRead(drained);
    group?.debitWrite(drained);
  };
  const stop = (): void => {
    for (const client of clients) client.free();
    expect(group?.size ?? 0).toBe(0);
  };
  return { clients, drain, stop };
}

/** Bytes per second of each connection, against what the case allows. */
function judge(speeds: readonly number[], limits: Limits, tolerance: Tolerance): void {
  const total = speeds.reduce((sum, speed) => sum + speed, 0);
  const average = total / speeds.length;
  const deviation = Math.sqrt(speeds.reduce((sum, speed) => sum + (speed - average) ** 2, 0) / speeds.length);
  const report = `${Math.round(total)} B/s in all, ${average.toFixed(1)} ± ${deviation.toFixed(1)} each`;
  if (tolerance.total !== undefined) expect(Math.abs(total - 30_000), report).toBeLessThanOrEqual(tolerance.total);
  if (tolerance.average !== undefined) {
    expect(Math.abs(average - (limits.connection as number)), report).toBeLessThanOrEqual(tolerance.average);
  }
  expect(deviation, report).toBeLessThanOrEqual(tolerance.deviation);
}

describe('30 echo connections for 5 seconds', () => {
  inMemory((world) => {
    for (const [name, limits, tolerance] of cases) {
      it(`RL-13: by a clock that is driven, limits are kept to the byte (${name})`, async () => {
        const { clients, drain, stop } = await talk(world, limits);
        await world.settle();
        const before = clients.map(({ context }) => context as number);
        for (let tick = 0; tick < (SECONDS * 1000) / TICK_MS; tick++) {
          await world.advance(TICK_MS);
          drain();
        }
        const bytes = clients.map(({ context }, index) => (context as number) - (before[index] as number));
        judge(
          bytes.map((each) => each / SECONDS),
          limits,
          tolerance,
        );
        if (limits.connection !== undefined && limits.drained === undefined) {
          expect(new Set(bytes)).toEqual(new Set([limits.connection * SECONDS]));
        }
        stop();
      });
    }
  });

  inWorlds(sockets, (world) => {
    for (const [name, limits, tolerance] of cases) {
      it.skipIf(!nightly && name !== 'both')(
        `RL-13: over sockets, limits are kept within the tolerance of libevent (${name})`,
        async () => {
          const { clients, drain, stop } = await talk(world, limits);
          const draining = setInterval(drain, TICK_MS);
          // From the middle of a tick to that of another, so that a late timer of the test moves no tick in or out.
          await wait(TICK_MS * 1.5 - (performance.now() % TICK_MS));
          const before = clients.map(({ context }) => context as number);
          const start = performance.now();
          await wait(SECONDS * 1000);
          const seconds = (performance.now() - start) / 1000;
          clearInterval(draining);
          judge(
            clients.map(({ context }, index) => ((context as number) - (before[index] as number)) / seconds),
            limits,
            tolerance,
          );
          stop();
        },
        15_000,
      );
    }
  });
});

describe('one connection at 1 MiB/s', () => {
  inWorlds(sockets, (world) => {
    it('keeps within 2 percent of it, receiving and sending', async () => {
      // A process that is late at either end of it by 50 ms is off by 1 percent.
      const seconds = nightly ? 10 : 5;
      const source: BuffereventHandlers = { onWrite: (bev) => void bev.write(new Uint8Array(256 * KiB)) };
      const { client, server } = await world.pair(talker, source);
      const other = await world.pair(source, talker);
      client.context = 0;
      other.server.context = 0;
      const tickMs = 10;
      const rate = Math.round((MiB * tickMs) / 1000);
      // With a burst above the rate, ticks that this busy process was too late for are made up for.
      const burst = 200 * rate;
      client.setRateLimit(new TokenBucketConfig({ readRate: rate, readBurst: burst, tickMs }));
      other.client.setRateLimit(new TokenBucketConfig({ writeRate: rate, writeBurst: burst, tickMs }));
      server.write('!');
      other.client.write('!');
      const receivers = [client, other.server];
      // From a moment with nothing left to another: what a late process has yet to make up for is not counted.
      const spent = () => client.readLimit <= 0 && other.client.writeLimit <= 0;
      await wait(20);
      await world.until(spent, 'both to wait');
      const start = performance.now();
      const before = receivers.map(({ context }) => context as number);
      await wait(seconds * 1000);
      await world.until(spent, 'both to wait again');
      const elapsed = (performance.now() - start) / 1000;
      const speeds = receivers.map(
        ({ context }, index) => ((context as number) - (before[index] as number)) / elapsed / MiB,
      );
      for (const speed of speeds) expect(Math.abs(speed - 1), String(speeds)).toBeLessThanOrEqual(0.02);
      for (const bev of [client, server, other.client, other.server]) bev.free();
    }, 20_000);
  });
});
