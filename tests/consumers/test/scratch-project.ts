import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const here = fileURLToPath(new URL('..', import.meta.url));

/** The packages that a package of ours needs, itself included, as its manifest says. */
export function withDependencies(name: string, found: string[] = []): string[] {
  if (found.includes(name)) return found;
  found.push(name);
  for (const dependency of dependenciesOf(name)) {
    if (existsSync(join(root, 'packages', dependency))) withDependencies(dependency, found);
  }
  return found;
}

function dependenciesOf(name: string): string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
  return Object.keys(manifest.dependencies ?? {});
}

/**
 * A project outside the repository with packed packages of ours installed, as users have them, and the programs of a
 * folder beside the tests.
 */
export class ScratchProject {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'consumer-'));
  readonly #tarballs: Map<string, string> = new Map();

  constructor(packages: readonly string[] = ['evbuffer'], programs = 'portable') {
    for (const name of packages) this.#install(name);
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module", "private": true }\n');
    cpSync(join(here, programs), this.folder, { recursive: true });
  }

  #install(name: string): void {
    const destination = join(this.folder, 'tarballs', name);
    mkdirSync(destination, { recursive: true });
    // What npm publishes: `files` of package.json, and nothing else.
    execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', destination], {
      cwd: join(root, 'packages', name),
    });
    const packed = readdirSync(destination).find((file) => file.endsWith('.tgz'));
    if (packed === undefined) throw new Error('npm pack made no tarball');
    const tarball = join(destination, packed);
    this.#tarballs.set(name, tarball);
    const installed = join(this.folder, 'node_modules', name);
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
    this.#installForeign(name);
  }

  /** What a package of ours needs of others, as it is installed in the workspace. */
  #installForeign(name: string): void {
    for (const dependency of dependenciesOf(name)) {
      if (existsSync(join(root, 'packages', dependency))) continue;
      const source = realpathSync(join(root, 'packages', name, 'node_modules', dependency));
      cpSync(source, join(this.folder, 'node_modules', dependency), { recursive: true });
    }
  }

  /** What was packed of a package. */
  tarball(name: string): string {
    const tarball = this.#tarballs.get(name);
    if (tarball === undefined) throw new Error(`${name} was not packed`);
    return tarball;
  }

  /** Runs a program there and returns what it printed; throws with all of its output when it fails. */
  run(program: string, words: readonly string[]): string {
    return execFileSync(program, words, { cwd: this.folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
  }

  /** What a program prints, also when it fails. */
  output(program: string, words: readonly string[]): string {
    try {
      return this.run(program, words);
    } catch (error) {
      return String((error as { stdout?: string }).stdout ?? error);
    }
  }

  /** A program that a dependency of this package brought. */
  tool(name: string): string {
    return join(here, 'node_modules/.bin', name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
