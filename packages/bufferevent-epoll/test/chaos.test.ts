import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect } from 'vitest';
import { itOnEpoll } from './available.js';
import { Random } from './chaos/random.mjs';

const isSanitized = process.env['BUFFEREVENT_EPOLL_ADDON'] !== undefined;
const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 2 ** 31);
const clients = 3;
const connectionsPerClient = 150;
/** Fewer than there are connections. */
const serverDescriptors = 400;

function chaosMs(): number {
  if (isSanitized) return 10_000;
  if (process.env['NIGHTLY'] === '1') return 600_000;
  return process.env['CI'] ? 60_000 : 10_000;
}

interface ServerReport {
  readonly counts: { accepted: number; freed: number; starved: number; bytes: number };
  /** Samples in bytes, at equal distances. */
  readonly rss: number[];
  readonly left: Record<string, number>;
}

interface ClientReport {
  readonly made: number;
  readonly bytes: number;
  readonly wrong: number;
}

const children: ChildProcess[] = [];

/** A process with a channel, at most so many descriptors, and garbage collection at will. */
function start(descriptors: number, script: string, ...words: number[]): ChildProcess {
  const path = fileURLToPath(new URL(`./chaos/${script}`, import.meta.url));
  const command = [process.execPath, '--expose-gc', path, ...words.map(String)];
  const shell = ['-c', `ulimit -n ${descriptors} && exec "$0" "$@"`, ...command];
  const child = spawn('sh', shell, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  children.push(child);
  return child;
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** The next message; a process that ends instead has failed. */
async function said<Message>(child: ChildProcess): Promise<Message> {
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`a process ended early: ${signal ?? code}`);
  });
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [Message];
  ended.catch(() => undefined);
  return message;
}

function median(samples: readonly number[]): number {
  return [...samples].sort((left, right) => left - right)[Math.floor(samples.length / 2)] as number;
}

itOnEpoll(
  `C2, C5, C11, C20: nothing is left after connections were maltreated for ${chaosMs() / 1000} s`,
  async () => {
    console.log(`CHAOS_SEED=${seed}`);
    const random = new Random(seed);
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const server = start(serverDescriptors, 'server.mjs', random.below(2 ** 31));
    const { port } = await said<{ port: number }>(server);
    const running = Array.from({ length: clients }, () =>
      start(4096, 'client.mjs', port, random.below(2 ** 31), connectionsPerClient),
    );

    const disturbances: readonly (() => Promise<void>)[] = [
      () => pause(random.below(300)),
      async () => {
        server.send('exhaust');
        await pause(random.below(300));
        server.send('restore');
      },
      async () => {
        const frozen = random.pick(running);
        frozen.kill('SIGSTOP');
        await pause(random.below(300));
        frozen.kill('SIGCONT');
      },
    ];
    const end = performance.now() + chaosMs();
    while (performance.now() < end) await random.pick(disturbances)();

    const reports = await Promise.all(
      running.map((client) => {
        client.send('stop');
        return said<ClientReport>(client);
      }),
    );
    server.send('finish');
    const { counts, rss, left } = await said<ServerReport>(server);

    const third = Math.floor(rss.length / 3);
    const [middle, last] = [median(rss.slice(third, 2 * third)), median(rss.slice(2 * third))];
    const made = reports.reduce((sum, report) => sum + report.made, 0);
    const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    console.log(
      `${made} connections, ${counts.accepted} accepted, ${counts.freed} freed; ${counts.starved} times without descriptors; ` +
        `${mebibytes(counts.bytes)} MiB; RSS ${mebibytes(middle)} MiB in the middle, ${mebibytes(last)} MiB at the end`,
    );
    expect(left).toEqual({ streams: 0, leases: 0, pending: 0, descriptors: 0, arrayBuffers: expect.any(Number) });
    // Less than the smallest slab.
    expect(left['arrayBuffers']).toBeLessThan(8192);
    expect(reports.map(({ wrong }) => wrong)).toEqual(reports.map(() => 0));
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(counts.starved).toBeGreaterThan(0);
    if (!isSanitized) expect(Math.abs(last - middle)).toBeLessThanOrEqual(middle * 0.05);
  },
  chaosMs() + 60_000,
);
