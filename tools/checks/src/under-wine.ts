// The suites with Node for Windows, under Wine.
import { neededPrograms } from 'wine';
import { hasTools } from './tools.js';
import { run } from './workspace.js';

const OFTEN = 'packages/bufferevent-iocp/test/compliance-node.ts';

export async function checkUnderWine(nightly: boolean): Promise<void> {
  if (!hasTools('the suites for Windows', neededPrograms)) return;
  if (!nightly) return run('tsx', ['tools/wine/src/main.ts', '--node', '20', '--everyday']);
  await run('tsx', ['tools/wine/src/main.ts']);
  // What is rare shows when it is often looked for.
  await run('tsx', ['tools/wine/src/main.ts', '--node', '20', '--repeat', '20', OFTEN]);
}
