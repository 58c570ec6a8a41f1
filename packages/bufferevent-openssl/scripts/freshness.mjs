// @ts-check
// Whether a binary was made of the sources as they are now. Contents are compared and not times, which `git checkout`
// and caches move.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder } from './native-build.mjs';

/** @param {string} name */
const stampFile = (name) => join(folder, `build/${name}.sha256`);

/** @param {string} name of the stamp that was left when the binary was made */
export function isFresh(name) {
  return existsSync(stampFile(name)) && readFileSync(stampFile(name), 'utf8') === fingerprint();
}

/** @param {string} name */
export function markFresh(name) {
  writeFileSync(stampFile(name), fingerprint());
}

function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  const sources = ['native', 'scripts'].flatMap((name) => {
    const path = join(folder, name);
    return readdirSync(path)
      .sort()
      .map((file) => join(path, file));
  });
  for (const file of [join(folder, 'binding.gyp'), ...sources]) hash.update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}
