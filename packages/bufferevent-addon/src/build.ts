import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** How a build ended: `impossible` when this machine lacks something, `failed` when the compiler did not like the source. */
export type BuildResult =
  | { readonly outcome: 'built' }
  | { readonly outcome: 'impossible' | 'failed'; readonly reason: string; readonly output: string };

/** Builds the addon of the package in `folder` from source, with node-gyp, into its `build/Release`. */
export function buildAddon(folder: string): BuildResult {
  // On Windows node-gyp looks for Visual Studio by itself.
  const tools = process.platform === 'win32' ? [] : ['make', process.env['CXX'] ?? 'g++'];
  for (const tool of tools) {
    if (spawnSync(`${tool} --version`, { shell: true, stdio: 'ignore' }).status !== 0) {
      return { outcome: 'impossible', reason: `${tool} was not found`, output: '' };
    }
  }
  // Looks for Python and for the headers of Node.
  const configured = nodeGyp(folder, 'configure', ...localHeaders());
  if (configured.reason !== null) return { outcome: 'impossible', ...configured, reason: configured.reason };
  const built = nodeGyp(folder, 'build');
  if (built.reason !== null) return { outcome: 'failed', ...built, reason: built.reason };
  return { outcome: 'built' };
}

/** What node-gyp is told about headers that came with Node, which need not be fetched. */
export function localHeaders(): string[] {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

/** `reason` is `null` when all went well. */
function nodeGyp(folder: string, ...words: string[]): { readonly reason: string | null; readonly output: string } {
  const [program, ...before] = findNodeGyp(folder);
  const { status, error, stdout, stderr } = spawnSync(program, [...before, ...words], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (error !== undefined) return { reason: `node-gyp was not found: ${error.message}`, output: '' };
  const output = `${stdout}${stderr}`;
  if (status === 0) return { reason: null, output };
  return {
    reason: /error: .*/.exec(output)?.[0] ?? /stack Error: (.*)/.exec(output)?.[1] ?? 'node-gyp failed',
    output,
  };
}

/** The one that is installed for the package, or that of the package manager which runs us, or the one on the path. */
function findNodeGyp(folder: string): [string, ...string[]] {
  try {
    return [process.execPath, createRequire(join(folder, 'package.json')).resolve('node-gyp/bin/node-gyp.js')];
  } catch {
    const offered = process.env['npm_config_node_gyp'];
    return offered === undefined ? ['node-gyp'] : [process.execPath, offered];
  }
}
