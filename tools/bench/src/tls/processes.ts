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
const EITHER_CORE = `${SERVER_CORE},${LOAD_CORE}`;
/** How often the CPU time of a server is looked at. */
const LOOK_MS = 20;
/** Held before memory is looked at for the first time, so that what is made once does not count. */
const WARM_UP_CONNECTIONS = 200;

/** V8 makes its young generation larger and smaller by many MiB as it sees fit, which would be all that is seen. */
const STEADY_HEAP = ['--min-semi-space-size=4', '--max-semi-space-size=4'];

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
async function printedBy<Answer>(
  name: string,
  words: readonly (string | number)[],
  flags: readonly string[] = [],
): Promise<Answer> {
  const command = [...flags, script(name), ...words.map(String)];
  const { stdout } = await run(process.execPath, command, { env: plainEnvironment() });
  return JSON.parse(stdout) as Answer;
}

/** CPU seconds of what is measured. */
export interface Duration {
  readonly warmUpSeconds: number;
  /** Before each round: who has slept while others worked finds caches cold, and what V8 has tidied away. */
  readonly leadInSeconds: number;
  readonly seconds: number;
}

/** A peer in processes of its own, all of which live from the first round to the last: V8 is given the time that it takes. */
export interface Worker extends Disposable {
  warmUp(): Promise<void>;
  /** Its lead-in is not part of what is measured. */
  round(): Promise<Round>;
}

export function startWorker(work: Work, peer: PeerId, duration: Duration): Promise<Worker> {
  return work.task.does === 'echo' ? startEcho(work, peer, duration) : startWork(work, peer, duration);
}

/** Both ends in one process. */
async function startWork({ task, unitSize }: Work, peer: PeerId, duration: Duration): Promise<Worker> {
  if (task.does === 'echo') throw new Error('an echo has two processes');
  const words = task.does === 'bulk' ? ['ecdsa', 'bulk', task.writeBytes] : [task.key, 'handshakes'];
  const process = start(EITHER_CORE, 'work', [peer, credentialsFolder, ...words]);
  const workFor = async (seconds: number): Promise<Round> => {
    const { done, cpuSeconds } = await askAlive<{ done: number; cpuSeconds: number }>(process, { seconds });
    return { perCpuSecond: done / unitSize / cpuSeconds };
  };
  const worker: Worker = {
    warmUp: () => workFor(duration.warmUpSeconds).then(() => {}),
    round: () => workFor(duration.leadInSeconds).then(() => workFor(duration.seconds)),
    [Symbol.dispose]: () => void process.kill('SIGKILL'),
  };
  return readyOrKilled(worker, process);
}

/** A server, and the load of it on the other core. */
async function startEcho({ task, unitSize }: Work, peer: PeerId, duration: Duration): Promise<Worker> {
  if (task.does !== 'echo') throw new Error('this is no echo');
  const { connections, messageBytes } = task;
  const server = await ServerProcess.of(start(SERVER_CORE, 'echo', [peer, credentialsFolder]));
  const kind = peer === 'node-plain' ? 'plain' : 'tls';
  const load = start(LOAD_CORE, 'load', [kind, server.target.port, credentialsFolder, connections, messageBytes]);
  const echoFor = async (cpuSeconds: number): Promise<Round> => {
    const before = await look(server, load, 'go');
    let after = before;
    while (after.serverSeconds - before.serverSeconds < cpuSeconds) {
      await wait(LOOK_MS);
      after = await look(server, load, 'count');
    }
    await askAlive(load, 'rest');
    const seconds = after.seconds - before.seconds;
    const serverSeconds = after.serverSeconds - before.serverSeconds;
    return {
      perCpuSecond: ((after.messages - before.messages) * messageBytes) / unitSize / serverSeconds,
      serverPercent: (100 * serverSeconds) / seconds,
      loadPercent: (100 * (after.loadSeconds - before.loadSeconds)) / seconds,
    };
  };
  const worker: Worker = {
    warmUp: () => echoFor(duration.warmUpSeconds).then(() => {}),
    round: () => echoFor(duration.leadInSeconds).then(() => echoFor(duration.seconds)),
    [Symbol.dispose]() {
      load.kill('SIGKILL');
      server.kill();
    },
  };
  return readyOrKilled(worker, load);
}

async function readyOrKilled(worker: Worker, process: ChildProcess): Promise<Worker> {
  try {
    await askAlive(process);
    return worker;
  } catch (error) {
    worker[Symbol.dispose]();
    throw error;
  }
}

async function look(server: ServerProcess, load: ChildProcess, question: 'go' | 'count') {
  const [{ cpu }, { messages, cpuSeconds }] = await Promise.all([
    server.usage(),
    askAlive<{ messages: number; cpuSeconds: number }>(load, question),
  ]);
  return {
    seconds: performance.now() / 1000,
    serverSeconds: (cpu.user + cpu.system) / 1e6,
    loadSeconds: cpuSeconds,
    messages,
  };
}

/** As `ask`, but rejects when the process ends meanwhile. */
async function askAlive<Answer>(child: ChildProcess, question?: string | object): Promise<Answer> {
  const ended = new AbortController();
  const failure = once(child, 'exit', { signal: ended.signal }).then(([code, signal]) => {
    throw new Error(`a process has ended with ${code ?? signal}`);
  });
  try {
    return (await Promise.race([ask<Answer>(child, question), failure])) as Answer;
  } finally {
    ended.abort();
    failure.catch(() => {});
  }
}

/** A script that answers messages, on one core. */
function start(core: string, name: string, words: readonly (string | number)[], flags: readonly string[] = []) {
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit', 'ipc'];
  const command = ['-c', core, process.execPath, ...flags, script(name), ...words.map(String)];
  return spawn('taskset', command, { stdio, env: plainEnvironment() });
}

export async function recordsOnce(how: RecordsHow): Promise<number> {
  const { addBytes, totalBytes } = recordsWork;
  return (await printedBy<{ records: number }>('records', [credentialsFolder, addBytes, totalBytes, how])).records;
}

/** Resident bytes of each of so many connections of a server that has held some before. */
export async function idleOnce(kind: IdleKind, connections: number): Promise<number> {
  const server = start(SERVER_CORE, 'idle', [kind, credentialsFolder], ['--expose-gc']);
  let clients: ChildProcess | null = null;
  try {
    const { port } = await askAlive<{ port: number }>(server);
    clients = start(LOAD_CORE, 'idle-clients', [kind.endsWith('tls') ? 'tls' : 'plain', port, credentialsFolder]);
    await askAlive(clients);
    let held = 0;
    const residentWith = async (more: number): Promise<number> => {
      held += more;
      await askAlive(clients!, { open: more });
      return (await askAlive<{ residentBytes: number }>(server, { until: held })).residentBytes;
    };
    const before = await residentWith(WARM_UP_CONNECTIONS);
    return ((await residentWith(connections)) - before) / connections;
  } finally {
    clients?.kill('SIGKILL');
    server.kill('SIGKILL');
  }
}

/** Bytes that OpenSSL itself has allocated for each of some idle connections of a server, as the loop in C holds them. */
export async function heldBytesOnce(): Promise<number> {
  return (await printedBy<{ bytes: number }>('held-bytes', [credentialsFolder, 1000])).bytes;
}

export function churnOnce(way: ChurnWay, connections: number): Promise<MemoryThirds> {
  return printedBy<MemoryThirds>('churn', [way, credentialsFolder, connections], STEADY_HEAP);
}
