// Builds the addon in other ways than node-gyp does, from the sources and flags of binding.gyp.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Target {
  readonly sources: readonly string[];
  readonly defines: readonly string[];
  readonly cflags_cc: readonly string[];
  readonly ldflags: readonly string[];
}

export const folder: string = fileURLToPath(new URL('..', import.meta.url));

/** Where Node has its headers, those of OpenSSL with them: beside the executable, or where Debian has them. */
export function nodeHeaders(): string {
  const candidates = [join(dirname(process.execPath), '../include/node'), '/usr/include/node'];
  const found = candidates.find((path) => existsSync(join(path, 'node_api.h')));
  if (found === undefined) throw new Error(`node_api.h is in none of ${candidates.join(', ')}`);
  return found;
}

/** Makes `addon` (a path) with the headers of one folder; `words` are for the compiler and `libraries` for the linker. */
export function compileAddon(
  addon: string,
  headers: string,
  words: readonly string[],
  libraries: readonly string[] = [],
): void {
  const gyp = JSON.parse(readFileSync(join(folder, 'binding.gyp'), 'utf8')) as { targets: readonly [Target] };
  const { sources, defines, cflags_cc, ldflags } = gyp.targets[0];
  mkdirSync(dirname(addon), { recursive: true });
  execFileSync(
    process.env['CXX'] ?? 'g++',
    [
      ...['-shared', '-fPIC', ...cflags_cc, ...words],
      ...[...defines, 'NODE_GYP_MODULE_NAME=bufferevent_openssl'].map((define) => `-D${define}`),
      ...['-I', headers, ...sources, '-o', addon, ...ldflags, ...libraries],
    ],
    { cwd: folder, stdio: 'inherit' },
  );
}
