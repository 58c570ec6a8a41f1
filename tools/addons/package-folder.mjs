// @ts-check
// A package with an addon, as its manifest and its binding.gyp say it.
import { execSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {{ target_name: string, sources: string[], include_dirs?: string[], defines: string[], cflags_cc: string[],
 *   ldflags: string[] }} Target
 */

export class PackageFolder {
  /** @param {string | undefined} name */
  constructor(name) {
    if (name === undefined) throw new TypeError('the name of a package is wanted');
    this.name = name;
    this.folder = fileURLToPath(new URL(`../../packages/${name}`, import.meta.url));
    /** @type {Target} */
    this.target = JSON.parse(readFileSync(this.path('binding.gyp'), 'utf8')).targets[0];
    /**
     * Where it is built.
     * @type {NodeJS.Platform[]}
     */
    this.systems = JSON.parse(readFileSync(this.path('package.json'), 'utf8')).addonSystems;
  }

  /** @param {string} relative */
  path(relative) {
    return join(this.folder, relative);
  }

  /** The addon of the checkout. */
  get addon() {
    return this.path(`build/Release/${this.target.target_name}.node`);
  }

  /** The environment variable that names another one. */
  get variable() {
    return `${this.name.toUpperCase().replaceAll('-', '_')}_ADDON`;
  }

  /** Folders of other packages whose headers it includes. */
  includeFolders() {
    return (this.target.include_dirs ?? []).map((entry) => {
      // The commands that node-gyp would run.
      return entry.replace(/<!\((.*?)\)(?=\/|$)/, (_, command) =>
        execSync(command, { cwd: this.folder, encoding: 'utf8' }).trim(),
      );
    });
  }
}
