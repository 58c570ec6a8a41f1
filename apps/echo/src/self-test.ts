import { fileURLToPath } from 'node:url';
import type { BackendName } from './backends.js';
import {
  type BulkResult,
  type LoadTarget,
  type PingPongResult,
  runBulk,
  runPingPong,
  ServerProcess,
  type Usage,
} from './load/index.js';
import { showProgress } from './progress.js';
import { describe, fail } from './report.js';
import { formatTable } from './table.js';

export interface SelfTestOptions {
  readonly connections: number;
  readonly bytes: number;
  readonly backend: BackendName;
  readonly tls: boolean;
}

const pingBytes = 64;
const pings = 16_384; // Over all connections.
const warmUpPings = 2048;

/** Checks and measures a server in a second process; resolves with the exit code. */
export async function selfTest({ connections, bytes, backend, tls }: SelfTestOptions): Promise<number> {
  let server: ServerProcess | undefined;
  try {
    server = await ServerProcess.start(fileURLToPath(new URL('./main.js', import.meta.url)), [
      ...['serve', '--host', '127.0.0.1', '--port', '0', '--backend', backend, '--quiet'],
      ...(tls ? ['--tls'] : []),
    ]);
    const target: LoadTarget = tls ? { ...server.target, fingerprint: fingerprintIn(server.readyLine) } : server.target;
    const pingPong = (messages: number): Promise<PingPongResult> =>
      runPingPong({ target, connections, messages, messageBytes: pingBytes });
    await pingPong(warmUpPings);
    const roundTrips = await pingPong(pings);

    const progress = showProgress(bytes);
    const bulk = await runBulk({ target, connections, bytes, verify: true, onProgress: progress.update }).finally(
      progress.stop,
    );

    const usage = await server.usage();
    const serverExit = await server.stop();
    process.stdout.write(resultTable(server.readyLine, connections, roundTrips, bulk, usage));

    const faults = [...roundTrips.faults, ...bulk.faults];
    if (serverExit !== 0) faults.push(`the server ended with ${serverExit}`);
    if (faults.length > 0) return fail(`self-test failed: ${summarise(faults)}`);
    return 0;
  } catch (error) {
    return fail(`self-test failed: ${describe(error)}`);
  } finally {
    server?.kill();
  }
}

/** Of the certificate that the server has made for this run. */
function fingerprintIn(readyLine: string): string {
  const [, fingerprint] = /SHA-256 ([0-9A-F:]+)/.exec(readyLine) ?? [];
  if (fingerprint === undefined) throw new Error(`no fingerprint in "${readyLine}"`);
  return fingerprint;
}

function resultTable(
  readyLine: string,
  connections: number,
  roundTrips: PingPongResult,
  bulk: BulkResult,
  usage: Usage,
): string {
  const ms = (value: number): string => `${value.toFixed(3)} ms`;
  const cpuSeconds = (usage.cpu.user + usage.cpu.system) / 1e6;
  return formatTable([
    ['server', readyLine],
    ['connections', `${connections}`],
    ['bytes', `${bulk.bytes}, SHA-256 of ${connections - bulk.faults.length} of ${connections} connections equal`],
    ['throughput', `${(bulk.bytes / 1e6 / bulk.seconds).toFixed(1)} MB/s`],
    ['round trip p50', `${ms(roundTrips.p50Ms)} (${pingBytes} bytes, one ping at a time on each connection)`],
    ['round trip p99', ms(roundTrips.p99Ms)],
    ['messages', `${Math.round(roundTrips.messages / roundTrips.seconds)} /s`],
    ['server CPU', `${cpuSeconds.toFixed(2)} s`],
    ['server peak memory', `${(usage.maxRssBytes / 2 ** 20).toFixed(1)} MiB`],
  ]);
}

function summarise(faults: readonly string[]): string {
  const shown = faults.slice(0, 5).join('; ');
  return faults.length > 5 ? `${shown}; and ${faults.length - 5} more` : shown;
}
