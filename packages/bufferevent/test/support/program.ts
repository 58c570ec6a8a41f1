// Programs in processes of their own. Their source stands in the test; imports resolve as in this package.
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running program: what it says as messages, what it is told, and how it ends. */
export class Program {
  readonly #child: ChildProcess;
  readonly #messages: unknown[] = [];
  readonly outcome: Promise<Outcome>;
  #stdout = '';
  #stderr = '';
  #ended = false;
  #wake: () => void = () => {};

  constructor(source: string, options: { readonly flags?: readonly string[]; readonly ipc?: boolean } = {}) {
    const { flags = [], ipc = false } = options;
    this.#child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', source], {
      cwd: packageFolder,
      stdio: ['ignore', 'pipe', 'pipe', ipc ? 'ipc' : 'ignore'],
      env: { PATH: process.env['PATH'] },
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#wake();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#child.on('message', (message) => {
      this.#messages.push(message);
      this.#wake();
    });
    this.outcome = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => {
        this.#ended = true;
        this.#wake();
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  tell(message: unknown): void {
    this.#child.send(message as object);
  }

  /** The next message, in order; fails when the program ends before. */
  async hear<Message>(): Promise<Message> {
    await this.#until(() => this.#messages.length > 0);
    if (this.#messages.length === 0) throw new Error(`the program said no more\n${this.#stdout}\n${this.#stderr}`);
    return this.#messages.shift() as Message;
  }

  /** Its standard output, as soon as it contains this. */
  async says(text: string): Promise<string> {
    await this.#until(() => this.#stdout.includes(text));
    if (!this.#stdout.includes(text))
      throw new Error(`the program did not say ${text}\n${this.#stdout}\n${this.#stderr}`);
    return this.#stdout;
  }

  kill(): Promise<Outcome> {
    this.#child.kill('SIGKILL');
    return this.outcome;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Runs a program to its end. Takes it down when it does not end by itself, which the outcome then shows. */
export async function run(source: string, timeoutMs = 8_000): Promise<Outcome> {
  const program = new Program(source);
  const timer = setTimeout(() => void program.kill(), timeoutMs);
  try {
    return await program.outcome;
  } finally {
    clearTimeout(timer);
  }
}
