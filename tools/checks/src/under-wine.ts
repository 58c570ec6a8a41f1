// The suites with Node for Windows, under Wine.
import { neededPrograms } from 'wine';
import { hasTools } from './tools.js';
import { run } from './workspace.js';

export async function checkUnderWine(nightly: boolean): Promise<void> {
  if (!hasTools('the suites for Windows', neededPrograms)) return;
  if (!nightly) return run('tsx', ['tools/wine/src/main.ts', '--node', '20', '--everyday']);
  await run('tsx', ['tools/wine/src/main.ts']);
  await run('tsx', ['tools/wine/src/main.ts', '--often', '--repeat', '20']);
}
