import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../run/workspace.mjs';
import type { Prefix } from './prefix.js';
import type { Staging } from './staging.js';
import type { Suite } from './suites.js';
import { type NodeMajor, WindowsProgram } from './windows-node.js';

/** Where the logs are. */
const logs = join(root, 'node_modules/.cache/wine-logs');

/** What failed in the last run of the command; empty when nothing did. */
export const failuresLog: string = join(logs, 'failures.log');

export function keepFailures(failures: readonly string[]): void {
  mkdirSync(logs, { recursive: true });
  writeFileSync(failuresLog, failures.join('\n'));
}

export interface SuiteResult {
  /** Exit code of `node --test`; `null` when it was ended for taking too long. */
  readonly code: number | null;
  readonly seconds: number;
  /** Where all it said is. */
  readonly log: string;
  readonly output: string;
}

/** Runs one suite under `node --test`. `logName` ends the name of its log. */
export async function runSuite(
  prefix: Prefix,
  staging: Staging,
  suite: Suite,
  node: NodeMajor,
  logName: string,
): Promise<SuiteResult> {
  const folder = staging.add(suite.package);
  mkdirSync(logs, { recursive: true });
  const log = join(logs, `${suite.package}-${suite.file.replaceAll(/\W/g, '-')}-node${node}${logName}.log`);
  if (suite.surroundings !== undefined) prefix.surround(suite.surroundings);
  if (suite.edition !== undefined) await prefix.become(suite.edition);
  const startedMs = performance.now();
  const words = ['--expose-gc', '--test', '--test-reporter=spec', suite.file];
  const program = new WindowsProgram(prefix, words, { node, folder, log });
  const code = await program.end(suite.limitMinutes * 60_000);
  if (suite.surroundings !== undefined) prefix.end();
  if (suite.edition !== undefined) await prefix.become('server');
  return { code, seconds: (performance.now() - startedMs) / 1000, log, output: program.output() };
}
