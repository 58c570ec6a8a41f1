// clang.ts PACKAGE SYSTEM: looks at the sources of an addon with another compiler than those that build it, as they are for
// that system. A warning is an error.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { compileAddon } from './compile.js';
import { isFresh, markFresh } from './freshness.mjs';
import { COMPILER } from './mingw.js';
import { PackageFolder } from './package-folder.mjs';

const targets: Readonly<Partial<Record<NodeJS.Platform, () => readonly string[]>>> = {
  linux: () => [],
  win32: () => ['--target=x86_64-w64-mingw32', ...libraryOfMinGW()],
};

/** Debian has more than one MinGW, and clang finds the C++ library of none. */
function libraryOfMinGW(): string[] {
  const words = ['-print-file-name=include/c++'];
  const folder = execFileSync(COMPILER, words, { encoding: 'utf8' }).trim();
  return [folder, join(folder, 'x86_64-w64-mingw32')].flatMap((path) => ['-isystem', path]);
}

const of = new PackageFolder(process.argv[2]);
const system = process.argv[3] as NodeJS.Platform;
const target = targets[system];
if (target === undefined) throw new RangeError(`no target for ${system}`);
const stamp = `clang-${system}`;
if (!isFresh(of, stamp)) {
  compileAddon(of.name, `build/clang/${system}`, {
    compiler: 'clang++',
    // What the linker would be told stands in the same list.
    words: [...target(), '-fsyntax-only', '-Werror', '-Wno-unused-command-line-argument'],
  });
  markFresh(of, stamp);
}
console.log(`${of.name}: no warnings of clang for ${system}`);
