import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { epollBackend } from 'bufferevent-epoll';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hasTools } from '../src/tools.js';
import { ensureBuilt, root } from '../src/workspace.js';

const what = 'the bench of connections';
const BYTES = 64;

/** The part of the raw numbers that is looked at here. */
interface Results {
  readonly run: { readonly leftOut: readonly string[] };
  readonly samples: Record<string, Record<string, Record<string, number>[]>>;
  readonly evidence: {
    readonly counts: Record<string, { systemCalls: Record<string, number>; callsPerWait: Record<string, number> }>;
    readonly traced: Record<string, { byStrace: Record<string, number> }>;
    readonly profiled: Record<string, Record<string, { cpuMicroseconds: number; shares: Record<string, number> }>>;
  } | null;
}

function canMeasure(): boolean {
  if (!hasTools(what, ['gcc', 'taskset'])) return false;
  const lacking = availableParallelism() < 2 ? 'two cores are wanted' : epollBackend.unavailabilityReason();
  if (lacking !== null && process.env['REQUIRE_TOOLS'] === '1') throw new Error(`${what}: ${lacking}`);
  if (lacking !== null) console.log(`skipped: ${what}: ${lacking}`);
  return lacking === null;
}

/** `pnpm --filter bench connections`, for a moment: what it prints, and its raw numbers. */
async function connections(...words: string[]): Promise<{ page: string; results: Results }> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const json = join(folder, 'results.json');
  const short = ['--rounds', '1', '--seconds', '0.3', '--warm-up', '0.2', '--json', json];
  const tsx = join(root, 'node_modules/.bin/tsx');
  const { stdout } = await promisify(execFile)(tsx, ['src/connections.ts', ...short, ...words], {
    cwd: join(root, 'tools/bench'),
  });
  return { page: stdout, results: JSON.parse(readFileSync(json, 'utf8')) as Results };
}

/** The one round, which moved messages that took time. */
function roundOf({ samples }: Results, workload: string, server: string): Record<string, number> {
  const rounds = samples[workload]?.[server];
  expect(rounds).toHaveLength(1);
  const [round] = rounds as [Record<string, number>];
  expect(round['messagesPerSecond']).toBeGreaterThan(100);
  expect(round['megabytesPerSecond']).toBeCloseTo((round['messagesPerSecond']! * BYTES) / 1e6);
  expect(round['p50Microseconds']).toBeGreaterThan(0);
  expect(round['p99Microseconds']).toBeGreaterThanOrEqual(round['p50Microseconds']!);
  expect(round['p999Microseconds']).toBeGreaterThanOrEqual(round['p99Microseconds']!);
  expect(round['cpuMicroseconds']).toBeGreaterThan(0);
  expect(round['cpuMicroseconds']).toBeCloseTo(round['userMicroseconds']! + round['systemMicroseconds']!);
  expect(round['loadPercent']).toBeGreaterThan(0);
  return round;
}

describe.skipIf(!canMeasure())(what, () => {
  beforeAll(ensureBuilt, 300_000);

  it('measures an echo and workers on one port, and shows both', async () => {
    const servers = ['epoll', 'c-loop', 'workers-1', 'workers-2'];
    const { page, results } = await connections('--only', '64', '--servers', servers.join(','));
    expect(results.run.leftOut).toEqual([]);
    expect(Object.keys(results.samples)).toEqual(['echo-64', 'workers-64']);
    for (const server of ['epoll', 'c-loop']) roundOf(results, 'echo-64', server);
    expect(roundOf(results, 'workers-64', 'workers-1')).toMatchObject({ fewestConnections: 64, mostConnections: 64 });
    const { fewestConnections, mostConnections } = roundOf(results, 'workers-64', 'workers-2');
    expect(fewestConnections! + mostConnections!).toBe(64);
    expect(page).toMatch(/^### Echo: 64 connections, messages of 64 B$/m);
    expect(page).toMatch(/^\| bare epoll loop in C \| [\d,]+ \|/m);
    expect(page).toMatch(/^### Workers on one port: 64 connections, messages of 64 B$/m);
    expect(page).toMatch(/^\| bufferevent on epoll, 2 workers \| [\d,]+ \|/m);
  }, 60_000);

  it.runIf(process.env['NIGHTLY'])(
    'counts what a message takes, and finds the same with strace and perf',
    async () => {
      const { results } = await connections('--only', 'evidence', '--servers', 'epoll');
      const { counts, traced, profiled } = results.evidence!;
      expect(counts['epoll']!.systemCalls['reads']).toBeCloseTo(1);
      expect(counts['epoll']!.systemCalls['writes']).toBeCloseTo(1);
      expect(counts['epoll']!.callsPerWait['into JavaScript']).toBeGreaterThanOrEqual(1);
      expect(counts['epoll']!.callsPerWait['into the addon']).toBeGreaterThanOrEqual(0);
      if (hasTools('system calls as strace counts them', ['strace'])) {
        expect(traced['epoll']!.byStrace['recvfrom']).toBeCloseTo(1, 0);
        expect(traced['epoll']!.byStrace['sendto']).toBeCloseTo(1, 0);
      }
      if (hasTools('CPU time as perf finds it', ['perf'])) {
        for (const work of ['echo-64', 'echo-1000', 'echo-deep', 'echo-large']) {
          const { cpuMicroseconds, shares } = profiled[work]!['epoll']!;
          expect(cpuMicroseconds).toBeGreaterThan(0);
          expect(Object.values(shares).reduce((sum, share) => sum + share)).toBeCloseTo(1);
          expect(shares['kernel']).toBeGreaterThan(0.1);
          expect(shares['copying']).toBeGreaterThan(0);
          expect(shares['compiled']).toBeGreaterThan(0);
          expect(shares['addon']).toBeGreaterThan(0);
        }
      }
    },
    120_000,
  );
});
