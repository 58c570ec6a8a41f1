// @ts-check
// Builds the addon from source with node-gyp, for `npm install` and for the workspace.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this package. */
export const folder = fileURLToPath(new URL('..', import.meta.url));

/**
 * How a build ended: `impossible` when this machine lacks something, `failed` when the compiler did not like the source.
 * @typedef {{ outcome: 'built' } | { outcome: 'impossible' | 'failed', reason: string, output: string }} BuildResult
 */

/** @returns {BuildResult} */
export function buildAddon() {
  if (process.platform !== 'linux') {
    return { outcome: 'impossible', reason: `tried on Linux only, and this is ${process.platform}`, output: '' };
  }
  for (const tool of ['make', process.env['CXX'] ?? 'g++']) {
    if (spawnSync(`${tool} --version`, { shell: true, stdio: 'ignore' }).status !== 0) {
      return { outcome: 'impossible', reason: `${tool} was not found`, output: '' };
    }
  }
  // Looks for Python and for the headers of Node.
  const configured = nodeGyp('configure', ...localHeaders());
  if (configured.reason !== null) return { outcome: 'impossible', ...configured, reason: configured.reason };
  const built = nodeGyp('build');
  if (built.reason !== null) return { outcome: 'failed', ...built, reason: built.reason };
  return { outcome: 'built' };
}

/** Headers that came with Node need not be fetched. */
export function localHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

/**
 * @param {...string} words
 * @returns {{ reason: string | null, output: string }} `null` when all went well
 */
function nodeGyp(...words) {
  const [program, ...before] = findNodeGyp();
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

/**
 * The one that is installed beside us, or that of the package manager which runs us, or the one on the path.
 * @returns {[string, ...string[]]}
 */
function findNodeGyp() {
  try {
    return [process.execPath, createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')];
  } catch {
    const offered = process.env['npm_config_node_gyp'];
    return offered === undefined ? ['node-gyp'] : [process.execPath, offered];
  }
}
