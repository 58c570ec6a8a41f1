import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { LoadTarget } from './load-connection.js';
import { type Usage, usageQuestion } from './usage.js';

const deadlineMs = 30_000;

/**
 * A server in a process of its own: a module that prints `listening on HOST:PORT …` when it is ready, answers usage
 * questions, and ends on SIGTERM.
 */
export class ServerProcess {
  readonly readyLine: string;
  readonly target: LoadTarget;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | string>;

  /** Starts a module of Node's. Rejects when the process ends, or says something else, before it is ready. */
  static async start(
    modulePath: string,
    words: readonly string[],
    execArgv: readonly string[] = [],
  ): Promise<ServerProcess> {
    const stdio: StdioOptions = ['ignore', 'pipe', 'inherit', 'ipc'];
    return ServerProcess.of(fork(modulePath, words, { execArgv: [...execArgv], stdio }));
  }

  /** The same of any child whose standard output is a pipe. Without a channel for messages it can't be asked for its usage. */
  static async of(child: ChildProcess): Promise<ServerProcess> {
    const exited = new Promise<number | string>((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 'no exit code'));
    });
    try {
      const line = await firstLine(child, exited);
      const ready = /^listening on (.+):(\d+)( |$)/.exec(line);
      if (ready === null) throw new Error(`the server said "${line}"`);
      return new ServerProcess(child, exited, line, { host: ready[1]!.replace(/[[\]]/g, ''), port: Number(ready[2]) });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  private constructor(child: ChildProcess, exited: Promise<number | string>, readyLine: string, target: LoadTarget) {
    this.#child = child;
    this.#exited = exited;
    this.readyLine = readyLine;
    this.target = target;
  }

  get process(): ChildProcess {
    return this.#child;
  }

  async usage(): Promise<Usage> {
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(deadlineMs) });
    this.#child.send(usageQuestion);
    const [usage] = (await Promise.race([answer, this.#died()])) as [Usage];
    return usage;
  }

  /**
   * SIGTERM, or the end of the channel for messages on Windows, where a signal leaves nobody time to stop; then waits for the
   * end: the exit code, or the name of the signal that it took.
   */
  async stop(): Promise<number | string> {
    if (process.platform === 'win32' && this.#child.connected) this.#child.disconnect();
    else this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), deadlineMs);
    const code = await this.#exited;
    clearTimeout(timer);
    return code;
  }

  /** Ends it at once; nothing when it is gone already. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #died(): Promise<never> {
    throw new Error(`the server ended with ${await this.#exited}`);
  }
}

async function firstLine(child: ChildProcess, exited: Promise<number | string>): Promise<string> {
  const lines = createInterface({ input: child.stdout! });
  const line = once(lines, 'line', { signal: AbortSignal.timeout(deadlineMs) });
  const end = exited.then((code) => {
    throw new Error(`the server ended with ${code} before it was ready`);
  });
  const [first] = (await Promise.race([line, end])) as [string];
  return first;
}
