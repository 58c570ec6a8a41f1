import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { plainEnvironment } from '../environment.js';

/** Of about 12.5 ms each. */
const SLICES = 20;

/** A program that warms up and says so by a line, then works a slice for each line that it is sent, and answers by a line. */
export interface Program {
  readonly path: string;
  readonly words: readonly string[];
}

/** What a program has done until now. Its warm-up counts as no operations, but as time. */
interface Progress {
  readonly operations: number;
  readonly cpuMicroseconds: number;
}

/**
 * CPU time of an operation of each program, in ns. Each is a process of its own, and they work by turns, a slice at a time: a
 * machine that is slower for a second is slower for all of them, and their ratios stay.
 */
export async function measureInSlices(programs: readonly Program[]): Promise<number[]> {
  const running: Sliced[] = [];
  try {
    for (const program of programs) running.push(await Sliced.start(program));
    for (let slice = 0; slice < SLICES; slice++) {
      for (let turn = 0; turn < running.length; turn++) await running[(slice + turn) % running.length]!.work();
    }
    return running.map((sliced) => sliced.nsPerOperation);
  } finally {
    for (const sliced of running) sliced.stop();
  }
}

class Sliced {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #died: Promise<never>;
  #first: Progress = { operations: 0, cpuMicroseconds: 0 };
  #last: Progress = this.#first;

  private constructor({ path, words }: Program) {
    this.#process = spawn(path, words, { env: plainEnvironment(), stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface(this.#process.stdout!)[Symbol.asyncIterator]();
    this.#died = once(this.#process, 'exit').then(([code, signal]) => {
      throw new Error(`${path} ${words.join(' ')} ended with ${signal ?? code}`);
    });
    // Seen by whoever waits for a line; nobody waits at the end.
    this.#died.catch(() => {});
  }

  static async start(program: Program): Promise<Sliced> {
    const sliced = new Sliced(program);
    sliced.#first = await sliced.#answer();
    return sliced;
  }

  async work(): Promise<void> {
    this.#process.stdin!.write('\n');
    this.#last = await this.#answer();
  }

  get nsPerOperation(): number {
    return (1000 * (this.#last.cpuMicroseconds - this.#first.cpuMicroseconds)) / this.#last.operations;
  }

  stop(): void {
    this.#process.kill();
  }

  async #answer(): Promise<Progress> {
    const line = await Promise.race([this.#lines.next(), this.#died]);
    if (line.done === true) return this.#died;
    return JSON.parse(line.value) as Progress;
  }
}
