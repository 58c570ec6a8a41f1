// The suites with Node for Windows, under Wine.
import { neededPrograms } from 'wine';
import { hasTools } from './tools.js';
import { run } from './workspace.js';

export async function checkUnderWine(nightly: boolean): Promise<void> {
  if (!hasTools('the suites for Windows', neededPrograms)) return;
  if (!nightly) return run('tsx', ['tools/wine/src/main.ts', '--node', '20', '--everyday']);
  await run('tsx', ['tools/wine/src/main.ts']);
  for (const node of ['20', '22'])
    await run('tsx', ['tools/wine/src/main.ts', '--node', node, '--often', '--repeat', '20']);
}
