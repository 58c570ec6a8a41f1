// The sources of the addons under a compiler that builds none of them.
import { packagesWithAddon } from './addon-binary.js';
import { hasTools } from './tools.js';
import { root, run } from './workspace.js';

export async function checkWithClang(): Promise<void> {
  if (!hasTools('the sources of the addons under clang', ['clang++'])) return;
  const names = new Set([...packagesWithAddon(root, 'linux'), ...packagesWithAddon(root, 'win32')]);
  for (const name of names) await run('tsx', ['tools/addons/clang.ts', name]);
}
