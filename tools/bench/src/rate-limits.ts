// What rate limits cost: `pnpm --filter bench rate-limits` (after a build). Wants a quiet machine.
//
// 1. One connection limited to 1 MiB/s: how exactly it keeps to it, and how much of its speed, and of its bytes per second
//    of CPU time, an unlimited connection of the same base loses beside it (rounds alternate; medians of the ratios).
// 2. Connections in one group that move nothing: the share of a core that they take, less that of the same connections
//    without a group.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Bufferevent, EventBase, listen, RateLimitGroup, TokenBucketConfig } from 'bufferevent';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    /** Per round. */
    seconds: { type: 'string', default: '10' },
    /** Connections at rest; needs as many descriptors. */
    resting: { type: 'string', default: '10000' },
  },
});

const MiB = 2 ** 20;
const TICK_MS = 10;
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const resting = Number(values.resting);
const flood = fileURLToPath(new URL('../servers/flood.mjs', import.meta.url));

const limit = new TokenBucketConfig({
  readRate: Math.round((MiB * TICK_MS) / 1000),
  readBurst: Math.round((MiB * 20 * TICK_MS) / 1000),
  tickMs: TICK_MS,
});

/** A base that has accepted connections from a process of their own; what each has received is counted in `context`. */
class Scene implements AsyncDisposable {
  readonly base: EventBase;
  readonly connections: Bufferevent[];
  readonly #peers: ChildProcess;

  private constructor(base: EventBase, connections: Bufferevent[], peers: ChildProcess) {
    this.base = base;
    this.connections = connections;
    this.#peers = peers;
  }

  static async start(flooding: number, restingCount: number): Promise<Scene> {
    const base = new EventBase();
    const connections: Bufferevent[] = [];
    const listener = await listen(
      { ip: '127.0.0.1', port: 0 },
      {
        onConnection(bev) {
          bev.context = 0;
          connections.push(bev);
        },
        onRead(bev) {
          bev.context = (bev.context as number) + bev.input.length;
          bev.input.drain(bev.input.length);
        },
      },
      { base },
    );
    const { port } = listener.address as { port: number };
    const words = [flood, String(port), String(flooding), String(restingCount)];
    const peers = spawn(process.execPath, words, { stdio: ['pipe', 'inherit', 'inherit'] });
    while (connections.length < flooding + restingCount) {
      if (peers.exitCode !== null) throw new Error('the peers could not connect');
      await wait(20);
    }
    await listener.close();
    return new Scene(base, connections, peers);
  }

  /** Bytes received by each connection, CPU time of this process and time passed, while the scene runs. */
  async measure(forSeconds: number): Promise<{ bytes: number[]; cpuSeconds: number; elapsed: number }> {
    const before = this.connections.map(({ context }) => context as number);
    const cpu = process.cpuUsage();
    const start = performance.now();
    await wait(forSeconds * 1000);
    const elapsed = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const bytes = this.connections.map(({ context }, index) => (context as number) - (before[index] as number));
    return { bytes, cpuSeconds: (user + system) / 1e6, elapsed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#peers.stdin?.end();
    await this.base[Symbol.asyncDispose]();
  }
}

interface Speeds {
  /** MiB/s of the unlimited connection, and its MiB per second of CPU time. */
  readonly unlimited: number;
  readonly perCpuSecond: number;
  /** MiB/s of the limited one, 0 when there is none. */
  readonly limited: number;
}

async function race(withLimited: boolean): Promise<Speeds> {
  await using scene = await Scene.start(withLimited ? 2 : 1, 0);
  scene.connections[1]?.setRateLimit(limit);
  await scene.measure(1); // Warms up.
  const { bytes, cpuSeconds, elapsed } = await scene.measure(seconds);
  const [unlimited = 0, limited = 0] = bytes.map((count) => count / MiB);
  return { unlimited: unlimited / elapsed, perCpuSecond: unlimited / cpuSeconds, limited: limited / elapsed };
}

/** Percent of a core that connections take which move nothing. */
async function rest(grouped: boolean): Promise<number> {
  await using scene = await Scene.start(0, resting);
  if (grouped) {
    const group = new RateLimitGroup(scene.base, limit);
    for (const bev of scene.connections) group.add(bev);
  }
  await scene.measure(1);
  const { cpuSeconds, elapsed } = await scene.measure(seconds);
  return (100 * cpuSeconds) / elapsed;
}

const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;

const deviations: number[] = [];
const speedRatios: number[] = [];
const cpuRatios: number[] = [];
for (let round = 0; round < rounds; round++) {
  const alone = await race(false);
  const beside = await race(true);
  deviations.push(Math.abs(beside.limited - 1));
  speedRatios.push(beside.unlimited / alone.unlimited);
  cpuRatios.push(beside.perCpuSecond / alone.perCpuSecond);
  console.error(
    `round ${round + 1}: unlimited ${alone.unlimited.toFixed(0)} MiB/s alone, ${beside.unlimited.toFixed(0)} beside a limited one at ${beside.limited.toFixed(4)}`,
  );
}
const bare = await rest(false);
const grouped = await rest(true);

console.log(`Node ${process.versions.node}, ${process.platform} ${process.arch}, ${rounds} rounds of ${seconds} s

| | measured | at most |
|---|---|---|
| distance of a limited connection from 1 MiB/s, worst round | ${percent(Math.max(...deviations))} | 2 % |
| speed that an unlimited one loses beside it, median | ${percent(1 - median(speedRatios))} | 5 % |
| the same, of its bytes per second of CPU time | ${percent(1 - median(cpuRatios))} | 5 % |
| share of a core of ${resting} members of a group at rest (without the group: ${bare.toFixed(1)} %) | ${grouped.toFixed(1)} % | 3 % |`);
