import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { filesUnder } from './workspace.js';

/** The documents that are checked: those at the root, the README of each package, and everything in `docs/`. */
export function documents(root: string): string[] {
  const readmes = readdirSync(join(root, 'packages')).flatMap((name) =>
    filesUnder(join(root, 'packages', name), 'README.md').filter((path) => !path.includes('node_modules')),
  );
  const atRoot = readdirSync(root).filter((name) => name.endsWith('.md'));
  return [...atRoot.map((name) => join(root, name)), ...readmes, ...filesUnder(join(root, 'docs'), '.md')];
}
