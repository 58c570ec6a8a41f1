import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { LoadTarget, Usage } from '../../dist/load/index.js';
import { within } from './within.js';

const mainPath: string = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const waitMs = 8_000;

/** The built program in a process of its own; killed when the test is over. */
export class EchoProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string>;
  #stdout = '';
  #stderr = '';

  constructor(...words: string[]) {
    this.#child = spawn(process.execPath, [mainPath, ...words], { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#child.stdin!.on('error', () => {}); // The program may end before it has read everything.
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve(code ?? signal ?? 'no exit code'));
    });
    onTestFinished(() => {
      this.#child.kill('SIGKILL');
    });
  }

  get stdin(): Writable {
    return this.#child.stdin!;
  }

  get stdout(): Readable {
    return this.#child.stdout!;
  }

  /** What was printed so far, where somebody waits for lines or for the end. */
  get output(): string {
    return this.#stdout;
  }

  get errors(): string {
    return this.#stderr;
  }

  /** Resolves with the first match in standard output. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    this.#collectOutput();
    const search = async (): Promise<RegExpExecArray> => {
      for (;;) {
        const match = pattern.exec(this.#stdout);
        if (match !== null) return match;
        await Promise.race([
          once(this.stdout, 'data'),
          this.#ended.then((code) => {
            throw new Error(`ended with ${code}. ${this.#dump()}`);
          }),
        ]);
      }
    };
    return within(waitMs, `output like ${pattern}`, search(), () => this.#dump());
  }

  /** Resolves with the exit code, or the name of the signal that ended it. */
  async ends(ms: number = waitMs): Promise<number | string> {
    this.#collectOutput();
    return within(ms, 'end of the process', this.#ended, () => this.#dump());
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async usage(): Promise<Usage> {
    const answer = once(this.#child, 'message');
    this.#child.send('usage');
    const [usage] = (await within(waitMs, 'answer about usage', answer, () => this.#dump())) as [Usage];
    return usage;
  }

  #collecting = false;
  #collectOutput(): void {
    if (this.#collecting) return;
    this.#collecting = true;
    this.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
  }

  #dump(): string {
    return `stdout: ${JSON.stringify(this.#stdout)} stderr: ${JSON.stringify(this.#stderr)}`;
  }
}

export interface ServeProcess {
  readonly server: EchoProcess;
  readonly target: LoadTarget;
}

/** A server that is ready, on a port of the system's choice. */
export async function startServer(...words: string[]): Promise<ServeProcess> {
  const server = new EchoProcess('serve', '--port', '0', ...words);
  const [, host, port] = await server.prints(/^listening on \[?(.+?)\]?:(\d+) \(backend \w+.*\)\n/);
  return { server, target: { host: host!, port: Number(port) } };
}
