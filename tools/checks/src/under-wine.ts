// The suites with Node for Windows, under Wine.
import { neededPrograms } from 'wine';
import { hasTools } from './tools.js';
import { run } from './workspace.js';

export async function checkUnderWine(nightly: boolean): Promise<void> {
  if (!hasTools('the suites for Windows', neededPrograms)) return;
  await run('tsx', ['tools/wine/src/main.ts', ...(nightly ? [] : ['--node', '20'])]);
}
