// clang.ts PACKAGE: looks at the sources of an addon with another compiler than those that build it, as they are for every
// system that it is built for. A warning is an error.
import { compileAddon } from './compile.js';
import { PackageFolder } from './package-folder.mjs';

const targets: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: [],
  win32: ['--target=x86_64-w64-mingw32'],
};

const of = new PackageFolder(process.argv[2]);
for (const system of of.systems) {
  const words = targets[system];
  if (words === undefined) throw new RangeError(`${of.name}: no target for ${system}`);
  compileAddon(of.name, `build/clang/${system}`, {
    compiler: 'clang++',
    // What the linker would be told stands in the same list.
    words: [...words, '-fsyntax-only', '-Werror', '-Wno-unused-command-line-argument'],
  });
  console.log(`${of.name}: no warnings of clang for ${system}`);
}
