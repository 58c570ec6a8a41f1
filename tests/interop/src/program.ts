import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

/** How long a program may say nothing while something is waited for, and how long it may take to end, in milliseconds. */
const silenceMs = 30_000;
const lifeMs = 240_000;

export interface ProgramOptions {
  readonly cwd?: string;
  /** Takes standard output, which joins the transcript otherwise. */
  readonly onData?: (chunk: Buffer) => void;
}

interface Waiter {
  look(): void;
  giveUp(reason: string): void;
}

const running = new Set<Program>();
process.once('exit', () => {
  for (const program of running) program.kill();
});

/** A program of somebody else's: started, listened to, and killed when this process ends. */
export class Program implements Disposable {
  readonly #words: string;
  readonly #child: ChildProcess;
  readonly #waiters = new Set<Waiter>();
  readonly #exited: Promise<number | null>;
  #transcript = '';
  #gone = false;

  constructor(command: string, words: readonly string[], { cwd, onData }: ProgramOptions = {}) {
    this.#words = [command, ...words].join(' ');
    const child = spawn(command, words, { cwd, stdio: 'pipe' });
    this.#child = child;
    running.add(this);
    const hear = (chunk: Buffer): void => {
      // Byte for byte: what programs print in between may be no text at all.
      this.#transcript += chunk.toString('latin1');
      for (const waiter of this.#waiters) waiter.look();
    };
    child.stdout.on('data', onData ?? hear);
    child.stderr.on('data', hear);
    // A program that leaves early breaks the pipe; its exit tells the story.
    child.stdin.on('error', () => {});
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => this.#leave(error.message, () => resolve(null)));
      child.once('close', (code) => this.#leave(`it ended with code ${code}`, () => resolve(code)));
    });
  }

  #leave(reason: string, then: () => void): void {
    this.#gone = true;
    running.delete(this);
    then();
    for (const waiter of this.#waiters) waiter.giveUp(reason);
  }

  /** All of standard error, and of standard output when nobody takes it. */
  get transcript(): string {
    return this.#transcript;
  }

  /** Resolves when it is written; also when the program is gone. */
  write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => void this.#child.stdin?.write(bytes, () => resolve()));
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Resolves with the `count`-th match of a pattern in the transcript; rejects when the program ends before. */
  matched(pattern: RegExp, count = 1): Promise<RegExpMatchArray> {
    const all = new RegExp(pattern.source, 'gm');
    return this.when(`"${pattern.source}"`, () => [...this.#transcript.matchAll(all)][count - 1] ?? null);
  }

  /** Resolves with what `find` finds, asked after every output and by {@link again}; rejects when the program ends before. */
  when<Found>(what: string, find: () => Found | null): Promise<Found> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => waiter.giveUp(`nothing in ${silenceMs} ms`), silenceMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        look() {
          const found = find();
          if (found === null) {
            timer.refresh();
            return;
          }
          settle();
          resolve(found);
        },
        giveUp: (reason) => {
          settle();
          reject(this.#complaint(`waited for ${what}: ${reason}`));
        },
      };
      this.#waiters.add(waiter);
      waiter.look();
      if (this.#gone && this.#waiters.has(waiter)) waiter.giveUp('it has ended');
    });
  }

  /** Asks all that wait for {@link when} to look again. */
  again(): void {
    for (const waiter of this.#waiters) waiter.look();
  }

  /** Resolves with the exit code; `null` for a program that was killed or could not be started. */
  async exited(): Promise<number | null> {
    const timer = setTimeout(() => this.kill(), lifeMs);
    const code = await this.#exited;
    clearTimeout(timer);
    return code;
  }

  /** Resolves when the program has ended with code 0; rejects with its transcript otherwise. */
  async succeeded(): Promise<void> {
    const code = await this.exited();
    if (code !== 0) throw this.#complaint(`ended with ${code === null ? 'no code' : `code ${code}`}`);
  }

  kill(): void {
    if (!this.#gone) this.#child.kill('SIGKILL');
  }

  [Symbol.dispose](): void {
    this.kill();
  }

  #complaint(what: string): Error {
    return new Error(`${this.#words}\n${what}\n${this.#transcript.slice(-2000)}`);
  }
}

/**
 * A port that nobody has, for programs that can't be given 0. Below the range out of which systems choose by themselves,
 * so that no connection of ours takes it in between.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (free) return port;
  }
}
