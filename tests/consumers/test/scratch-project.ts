import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const here = fileURLToPath(new URL('..', import.meta.url));

/** A project outside the repository with the packed `evbuffer` installed, as users have it, and the portable programs. */
export class ScratchProject {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'consumer-'));
  readonly tarball: string;

  constructor() {
    // What npm publishes: `files` of package.json, and nothing else.
    execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', this.folder], {
      cwd: join(root, 'packages/evbuffer'),
    });
    const packed = readdirSync(this.folder).find((name) => name.endsWith('.tgz'));
    if (packed === undefined) throw new Error('npm pack made no tarball');
    this.tarball = join(this.folder, packed);
    const installed = join(this.folder, 'node_modules/evbuffer');
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', this.tarball, '-C', installed, '--strip-components=1']);
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module", "private": true }\n');
    cpSync(join(here, 'portable'), this.folder, { recursive: true });
  }

  /** Runs a program there and returns what it printed; throws with all of its output when it fails. */
  run(program: string, words: readonly string[]): string {
    return execFileSync(program, words, { cwd: this.folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
  }

  /** A program that a dependency of this package brought. */
  tool(name: string): string {
    return join(here, 'node_modules/.bin', name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
