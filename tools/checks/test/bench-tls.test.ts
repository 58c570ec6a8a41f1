import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { epollBackend } from 'bufferevent-epoll';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hasTools } from '../src/tools.js';
import { ensureBuilt, root } from '../src/workspace.js';

const what = 'the bench of TLS';

/** The part of the raw numbers that is looked at here. */
interface Results {
  readonly run: { readonly leftOut: readonly string[] };
  readonly rounds: Record<string, Record<string, Record<string, number>[]>>;
  readonly records: Record<string, number>;
  readonly idle: Record<string, number[]>;
  readonly churn: Record<string, Record<string, number>>;
}

function canMeasure(): boolean {
  if (!hasTools(what, ['g++', 'taskset'])) return false;
  const hasHeaders = existsSync(join(dirname(process.execPath), '../include/node/openssl/ssl.h'));
  const lacking =
    availableParallelism() < 2
      ? 'two cores are wanted'
      : hasHeaders
        ? epollBackend.unavailabilityReason()
        : 'the headers of Node are wanted';
  if (lacking !== null && process.env['REQUIRE_TOOLS'] === '1') throw new Error(`${what}: ${lacking}`);
  if (lacking !== null) console.log(`skipped: ${what}: ${lacking}`);
  return lacking === null;
}

/** `pnpm --filter bench tls`, for a moment: what it prints, and its raw numbers. */
async function tls(only: string): Promise<{ page: string; results: Results }> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const json = join(folder, 'results.json');
  const short = ['--rounds', '1', '--seconds', '0.05', '--warm-up', '0.05', '--idle-rounds', '1'];
  const few = ['--idle-connections', '200', '--churn-connections', '198'];
  const tsx = join(root, 'node_modules/.bin/tsx');
  const words = ['src/tls-vs-peers.ts', ...short, ...few, '--json', json, '--only', only];
  const { stdout } = await promisify(execFile)(tsx, words, { cwd: join(root, 'tools/bench') });
  return { page: stdout, results: JSON.parse(readFileSync(json, 'utf8')) as Results };
}

describe.skipIf(!canMeasure())(what, () => {
  beforeAll(ensureBuilt, 300_000);

  it('measures handshakes and bulk of every peer, all of which have agreed upon the same', async () => {
    const { page, results } = await tls('s-ecdsa');
    expect(results.run.leftOut).toEqual([]);
    expect(Object.keys(results.rounds)).toEqual(['handshakes-ecdsa']);
    const handshakes = results.rounds['handshakes-ecdsa']!;
    expect(Object.keys(handshakes)).toEqual(['ours', 'ours-engine', 'c-loop', 'node-duplex', 'node-tcp']);
    for (const [round] of Object.values(handshakes)) expect(round!['perCpuSecond']).toBeGreaterThan(1);
    expect(page).toMatch(/^### Handshakes, ECDSA on P-256, both ends in one process$/m);
    expect(page).toMatch(
      /^\| bufferevent-openssl.*, against a loop in C on Node's OpenSSL \| [\d.]+× .* \| at least 0.85×/m,
    );

    const bulk = (await tls('bulk-16384')).results.rounds['bulk-16384']!;
    expect(Object.keys(bulk)).toContain('ours');
    for (const [round] of Object.values(bulk)) expect(round!['perCpuSecond']).toBeGreaterThan(1);
  }, 120_000);

  it('measures an echo over TCP, with the load in a process of its own', async () => {
    const { results } = await tls('echo');
    const echo = results.rounds['echo']!;
    expect(Object.keys(echo)).toEqual(['epoll', 'net', 'node', 'c-loop', 'node-plain']);
    for (const [round] of Object.values(echo)) {
      expect(round!['perCpuSecond']).toBeGreaterThan(0.1);
      expect(round!['serverPercent']).toBeGreaterThan(0);
      expect(round!['loadPercent']).toBeGreaterThan(0);
    }
  }, 120_000);

  it('counts the records that small adds become: at most 1.05 for each 16 KiB', async () => {
    const { page, results } = await tls('records');
    expect(results.records['once']).toBeGreaterThanOrEqual(64);
    expect(results.records['once']).toBeLessThanOrEqual(1.05 * 64);
    expect(page).toMatch(/^\| all at once \| \d+ \| 1\.0\d\d \| at most 1.05 \| yes \|$/m);
  }, 60_000);

  it('measures the memory of connections that idle, and of some that come and go', async () => {
    const { results } = await tls('idle');
    expect(Object.keys(results.idle)).toEqual(['plain', 'tls', 'node-plain', 'node-tls']);
    for (const way of ['memory', 'epoll']) {
      const thirds = (await tls(`churn-${way}`)).results.churn[way]!;
      for (const third of ['first', 'middle', 'last']) expect(thirds[third]).toBeGreaterThan(10);
    }
  }, 120_000);
});
