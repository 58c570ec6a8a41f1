import { type ChildProcess, execFile, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ServerProcess } from 'echo/load';
import { ask } from '../ask.js';
import { plainEnvironment } from '../environment.js';
import { credentialsFolder } from './credentials.js';
import type { MemoryThirds, Round } from './results.js';
import {
  type ChurnWay,
  type IdleKind,
  type PeerId,
  type RecordsHow,
  records as recordsWork,
  type Work,
} from './works.js';

/** The server of an echo has one core to itself, and the load has another. */
const SERVER_CORE = '0';
const LOAD_CORE = '1';
/** Held before memory is looked at for the first time, so that what is made once does not count. */
const WARM_UP_CONNECTIONS = 200;

const run = promisify(execFile);

/** Why this machine can't keep server and load apart, or `null`. */
export function whyNotPinned(): string | null {
  if (availableParallelism() < 2) return 'two cores are wanted, one for the server and one for the load';
  const { error } = spawnSync('taskset', ['--version']);
  return error === undefined ? null : `taskset, of util-linux, is wanted: ${error.message}`;
}

function script(name: string): string {
  return fileURLToPath(new URL(`../../servers/tls-${name}.mjs`, import.meta.url));
}

/** What a script prints as JSON. */
async function printedBy<Answer>(name: string, ...words: readonly (string | number)[]): Promise<Answer> {
  const { stdout } = await run(process.execPath, [script(name), ...words.map(String)], { env: plainEnvironment() });
  return JSON.parse(stdout) as Answer;
}

export interface Duration {
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** Both ends in a new process. */
export async function workOnce(work: Work, peer: PeerId, { warmUpSeconds, seconds }: Duration): Promise<Round> {
  const { task, unitSize } = work;
  const words =
    task.does === 'handshakes'
      ? ([task.key, warmUpSeconds, seconds, 'handshakes'] as const)
      : task.does === 'bulk'
        ? (['ecdsa', warmUpSeconds, seconds, 'bulk', task.writeBytes] as const)
        : null;
  if (words === null) throw new Error(`${work.id} has two processes`);
  const { done, cpuSeconds } = await printedBy<{ done: number; cpuSeconds: number }>(
    'work',
    peer,
    credentialsFolder,
    ...words,
  );
  return { perCpuSecond: done / unitSize / cpuSeconds };
}

/** A script that answers messages, on one core. */
function start(core: string, name: string, words: readonly (string | number)[], flags: readonly string[] = []) {
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit', 'ipc'];
  const command = ['-c', core, process.execPath, ...flags, script(name), ...words.map(String)];
  return spawn('taskset', command, { stdio, env: plainEnvironment() });
}

export function startEcho(peer: PeerId): Promise<ServerProcess> {
  return ServerProcess.of(start(SERVER_CORE, 'echo', [peer, credentialsFolder]));
}

/** One round of load, with connections of its own. */
export async function echoOnce(work: Work, server: ServerProcess, duration: Duration): Promise<Round> {
  const { task, unitSize } = work;
  if (task.does !== 'echo') throw new Error(`${work.id} is no echo`);
  const words = [server.target.port, credentialsFolder, task.connections, task.messageBytes];
  const load = start(LOAD_CORE, 'load', words);
  try {
    await Promise.race([ask(load), failure(load)]);
    await wait(duration.warmUpSeconds * 1000);
    const before = await look(server, load);
    await wait(duration.seconds * 1000);
    const after = await look(server, load);
    const seconds = after.seconds - before.seconds;
    const serverSeconds = after.serverSeconds - before.serverSeconds;
    const messages = after.messages - before.messages;
    return {
      perCpuSecond: (messages * task.messageBytes) / unitSize / serverSeconds,
      serverPercent: (100 * serverSeconds) / seconds,
      loadPercent: (100 * (after.loadSeconds - before.loadSeconds)) / seconds,
    };
  } finally {
    load.kill('SIGKILL');
  }
}

async function look(server: ServerProcess, load: ChildProcess) {
  const [{ cpu }, { messages, cpuSeconds }] = await Promise.all([
    server.usage(),
    ask<{ messages: number; cpuSeconds: number }>(load, 'count'),
  ]);
  return {
    seconds: performance.now() / 1000,
    serverSeconds: (cpu.user + cpu.system) / 1e6,
    loadSeconds: cpuSeconds,
    messages,
  };
}

async function failure(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`a process has ended with ${code}`);
}

export async function recordsOnce(how: RecordsHow): Promise<number> {
  const { addBytes, totalBytes } = recordsWork;
  return (await printedBy<{ records: number }>('records', credentialsFolder, addBytes, totalBytes, how)).records;
}

/** Resident bytes of each of so many connections of a server that has held some before. */
export async function idleOnce(kind: IdleKind, connections: number): Promise<number> {
  const server = start(SERVER_CORE, 'idle', [kind, credentialsFolder], ['--expose-gc']);
  let clients: ChildProcess | null = null;
  try {
    const { port } = await Promise.race([ask<{ port: number }>(server), failure(server)]);
    clients = start(LOAD_CORE, 'idle-clients', [kind.endsWith('tls') ? 'tls' : 'plain', port, credentialsFolder]);
    const failed = Promise.race([failure(server), failure(clients)]);
    await Promise.race([ask(clients), failed]);
    const residentWith = async (open: number, until: number): Promise<number> => {
      await Promise.race([ask(clients!, { open }), failed]);
      return (await ask<{ residentBytes: number }>(server, { until })).residentBytes;
    };
    const before = await residentWith(WARM_UP_CONNECTIONS, WARM_UP_CONNECTIONS);
    const after = await residentWith(connections, WARM_UP_CONNECTIONS + connections);
    return (after - before) / connections;
  } finally {
    clients?.kill('SIGKILL');
    server.kill('SIGKILL');
  }
}

export function churnOnce(way: ChurnWay, connections: number): Promise<MemoryThirds> {
  return printedBy<MemoryThirds>('churn', way, credentialsFolder, connections);
}
