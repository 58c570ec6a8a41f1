// The sources of the addons under a compiler that builds none of them.
import { packagesWithAddon } from './addon-binary.js';
import { hasTools } from './tools.js';
import { WIN32_TOOLS } from './win32-binary.js';
import { root, run } from './workspace.js';

export async function checkWithClang(): Promise<void> {
  if (process.platform !== 'linux') return console.log('skipped: clang is given the headers of Linux');
  const looks = (['linux', 'win32'] as const).flatMap((system) => {
    const tools = ['clang++', ...(system === 'win32' ? WIN32_TOOLS : [])];
    if (!hasTools(`the addons for ${system} under clang`, tools)) return [];
    return packagesWithAddon(root, system).map((name) => run('tsx', ['tools/addons/clang.ts', name, system]));
  });
  await Promise.all(looks);
}
