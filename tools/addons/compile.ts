// Builds an addon in other ways than node-gyp does, from the sources and flags of its binding.gyp.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PackageFolder } from './package-folder.mjs';

/** Where Node has its headers, those of OpenSSL with them: beside the executable, or where Debian has them. */
export function nodeHeaders(): string {
  const candidates = [join(dirname(process.execPath), '../include/node'), '/usr/include/node'];
  const found = candidates.find((path) => existsSync(join(path, 'node_api.h')));
  if (found === undefined) throw new Error(`node_api.h is in none of ${candidates.join(', ')}`);
  return found;
}

export interface Compilation {
  /** Default: that of the environment variable `CXX`, or `g++`. */
  readonly compiler?: string;
  /** Default: those of Node. */
  readonly headers?: string;
  /** For the compiler. */
  readonly words: readonly string[];
  /** Beside those of the package, with absolute paths. */
  readonly sources?: readonly string[];
  /** For the linker, behind everything else. */
  readonly libraries?: readonly string[];
}

/** Makes the addon of a package as `file`, within its folder. Returns the path. */
export function compileAddon(name: string, file: string, compilation: Compilation): string {
  const of = new PackageFolder(name);
  const { target_name, defines, cflags_cc, ldflags } = of.target;
  const { compiler = process.env['CXX'] ?? 'g++', headers = nodeHeaders(), words, libraries = [] } = compilation;
  const sources = [...of.target.sources, ...(compilation.sources ?? [])];
  const addon = of.path(file);
  mkdirSync(dirname(addon), { recursive: true });
  execFileSync(
    compiler,
    [
      ...['-shared', '-fPIC', ...cflags_cc, ...words],
      ...[...defines, `NODE_GYP_MODULE_NAME=${target_name}`].map((define) => `-D${define}`),
      ...[headers, ...of.includeFolders()].flatMap((folder) => ['-I', folder]),
      ...[...sources, '-o', addon, ...ldflags, ...libraries],
    ],
    { cwd: of.folder, stdio: 'inherit' },
  );
  return addon;
}
