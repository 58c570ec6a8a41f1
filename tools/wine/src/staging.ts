// Packages of the workspace in one flat `node_modules`, as an installation would have them. The workspace itself is no place
// for Windows: it is full of links, which Wine follows without saying so, and Node would load one module under many names.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { transformSync } from 'esbuild';
import { root } from '../../run/workspace.mjs';
import { readManifest, workspacePackages } from './workspace-packages.js';

export class Staging {
  readonly #modules: string;
  /** Where from each package came that every other sees. */
  readonly #sources = new Map<string, string>();

  /** @param folder an empty one */
  constructor(folder: string) {
    this.#modules = join(folder, 'node_modules');
  }

  /** Puts a package of the workspace there, with its tests, and all that either needs. Returns its folder. */
  add(name: string): string {
    const source = workspacePackages.get(name);
    if (source === undefined) throw new Error(`${name} is no package of the workspace`);
    const staged = this.#place(name, source, this.#modules);
    const { devDependencies = {} } = readManifest(source);
    for (const needed of Object.keys(devDependencies)) {
      const folder = workspacePackages.get(needed);
      if (folder !== undefined) this.#place(needed, folder, staged);
    }
    return staged;
  }

  /** A package among all others, or beneath `user` where another of that name is among them already. */
  #place(name: string, source: string, user: string): string {
    const known = this.#sources.get(name);
    const folder = known === undefined || known === source ? this.#modules : join(user, 'node_modules');
    const staged = join(folder, name);
    if (known === undefined) this.#sources.set(name, source);
    if (existsSync(staged)) return staged;
    if (workspacePackages.get(name) === source) copyOurs(source, staged);
    else cpSync(source, staged, { recursive: true, dereference: true, filter: (path) => !isModules(path, source) });
    const { dependencies = {}, optionalDependencies = {} } = readManifest(source);
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const from = workspacePackages.get(needed) ?? installed(needed, source);
      if (from !== null) this.#place(needed, from, staged);
      else if (!(needed in optionalDependencies)) throw new Error(`${needed}, which ${name} needs, is not installed`);
    }
    return staged;
  }
}

/** What a tarball of it would hold for Windows, and its tests as JavaScript. */
function copyOurs(source: string, staged: string): void {
  mkdirSync(staged, { recursive: true });
  const manifest = readFileSync(join(source, 'package.json'), 'utf8');
  const { name, private: isPrivate = false, addonSystems = [] } = readManifest(source);
  if (addonSystems.includes('win32')) {
    execFileSync('tsx', ['tools/addons/prebuild-win32.ts', name], { cwd: root, stdio: 'inherit' });
  }
  // Tools are used as they stand in the workspace, in TypeScript.
  writeFileSync(join(staged, 'package.json'), isPrivate ? manifest.replace(/\.ts"/g, '.js"') : manifest);
  for (const part of ['dist', 'prebuilds/win32-x64']) {
    if (existsSync(join(source, part))) cpSync(join(source, part), join(staged, part), { recursive: true });
  }
  for (const part of isPrivate && !existsSync(join(source, 'dist')) ? ['src', 'test'] : ['test']) {
    if (existsSync(join(source, part))) compileFolder(join(source, part), join(staged, part));
  }
}

function compileFolder(source: string, target: string): void {
  for (const entry of readdirSync(source, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(target, relative(source, from));
    mkdirSync(dirname(to), { recursive: true });
    if (/(?<!\.d)\.ts$/.test(entry.name)) {
      writeFileSync(to.replace(/\.ts$/, '.js'), compile(readFileSync(from, 'utf8')));
    } else cpSync(from, to);
  }
}

/** Tests of a package are about what was built of it. */
function compile(code: string): string {
  const aboutBuilt = code.replace(/(from |import\()'((?:\.\.\/)+)src\//g, "$1'$2dist/");
  return transformSync(aboutBuilt, { loader: 'ts', format: 'esm', target: 'node20' }).code;
}

/** Where a package has found another that was installed for it, if it was. */
function installed(name: string, source: string): string | null {
  // With a file, because some have the name of a module of Node.
  const file = `${name}/package.json`;
  const folders = createRequire(join(realpathSync(source), 'package.json')).resolve.paths(file) ?? [];
  const found = folders.find((folder) => existsSync(join(folder, file)));
  return found === undefined ? null : realpathSync(join(found, name));
}

function isModules(path: string, source: string): boolean {
  return relative(source, path).split('/').includes('node_modules');
}
