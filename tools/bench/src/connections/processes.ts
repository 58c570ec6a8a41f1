import { type ChildProcess, execFile, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { ServerProcess } from 'echo/load';
import { plainEnvironment } from '../environment.js';
import { buildFolder } from '../native-program.js';
import type { ServerKind } from './servers.js';
import type { Behaviour } from './workloads.js';

/** Servers have one core to themselves, and the load has another; workers take either. */
const SERVER_CORE = '0';
const LOAD_CORE = '1';
const EITHER_CORE = `${SERVER_CORE},${LOAD_CORE}`;

/** Why this machine can't keep them apart, or `null`. */
export function whyNotPinned(): string | null {
  if (availableParallelism() < 2) return 'two cores are wanted, one for the server and one for the load';
  const { error } = spawnSync('taskset', ['--version']);
  return error === undefined ? null : `taskset, of util-linux, is wanted: ${error.message}`;
}

const loadgen = `${buildFolder}loadgen`;
const run = promisify(execFile);

export async function startServer(
  { command, answers }: ServerKind,
  behaviour: Behaviour,
  detail: string,
  flags: readonly string[] = [],
): Promise<ServerProcess> {
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit', ...(answers ? (['ipc'] as const) : [])];
  const words = ['-c', behaviour === 'workers' ? EITHER_CORE : SERVER_CORE, ...command(behaviour, detail, flags)];
  return ServerProcess.of(spawn('taskset', words, { stdio, env: plainEnvironment() }));
}

/** The program itself: `taskset` becomes what it starts. */
export function pidOf({ process }: ServerProcess): number {
  return process.pid!;
}

/** What `native/loadgen.c` prints. */
export interface Load {
  readonly seconds: number;
  readonly messages: number;
  readonly bytes: number;
  readonly latencyNs: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly loadCpuSeconds: number;
  readonly serverUserSeconds: number;
  readonly serverSystemSeconds: number;
}

export async function runLoad(server: ServerProcess, words: readonly (string | number)[]): Promise<Load> {
  const { stdout } = await run('taskset', loadWords(server, words));
  return JSON.parse(stdout) as Load;
}

/** Connections that do nothing, opened bit by bit. */
export class HeldConnections implements Disposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(server: ServerProcess) {
    this.#child = spawn('taskset', loadWords(server, ['hold']), { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async open(count: number): Promise<void> {
    this.#child.stdin!.write(`${count}\n`);
    const { done } = await this.#answers.next();
    if (done) throw new Error('the connections could not be opened');
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    await once(this.#child, 'exit');
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

function loadWords(server: ServerProcess, words: readonly (string | number)[]): string[] {
  return ['-c', LOAD_CORE, loadgen, String(server.target.port), String(pidOf(server)), ...words.map(String)];
}
