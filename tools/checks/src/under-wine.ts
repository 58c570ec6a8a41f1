// The suites with Node for Windows, under Wine.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { failuresLog, neededPrograms } from 'wine';
import { hasTools } from './tools.js';
import { run } from './workspace.js';

export async function checkUnderWine(nightly: boolean): Promise<void> {
  if (!hasTools('the suites for Windows', neededPrograms)) return;
  if (!nightly) return runSuites('--node', '20', '--everyday');
  await runSuites();
  await runSuites('--often', '--repeat', '20');
}

/** Fails with what failed, for the end of the log. */
async function runSuites(...words: string[]): Promise<void> {
  rmSync(failuresLog, { force: true });
  try {
    await run('tsx', ['tools/wine/src/main.ts', ...words]);
  } catch (error) {
    const failures = existsSync(failuresLog) ? `\n${readFileSync(failuresLog, 'utf8')}` : '';
    throw new Error(`${(error as Error).message}${failures}`);
  }
}
