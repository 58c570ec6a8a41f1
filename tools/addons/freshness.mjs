// @ts-check
// Whether a binary was made of the sources as they are now. Contents are compared and not times, which `git checkout`
// and caches move.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {import('./package-folder.mjs').PackageFolder} PackageFolder */

const here = fileURLToPath(new URL('.', import.meta.url));
const sources = /\.(cc|h|mjs|ts)$/;

/**
 * @param {PackageFolder} of
 * @param {string} name of the stamp
 */
const stampFile = (of, name) => of.path(`build/${name}.sha256`);

/**
 * @param {PackageFolder} of
 * @param {string} name of the stamp that was left when the binary was made
 */
export function isFresh(of, name) {
  const file = stampFile(of, name);
  return existsSync(file) && readFileSync(file, 'utf8') === fingerprint(of);
}

/**
 * @param {PackageFolder} of
 * @param {string} name
 */
export function markFresh(of, name) {
  const file = stampFile(of, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, fingerprint(of));
}

/** @param {PackageFolder} of */
function fingerprint(of) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  hash.update(readFileSync(of.path('binding.gyp')));
  for (const folder of [of.path('native'), ...of.includeFolders(), here]) {
    for (const file of readdirSync(folder).sort()) {
      if (sources.test(file)) hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
    }
  }
  return hash.digest('hex');
}
