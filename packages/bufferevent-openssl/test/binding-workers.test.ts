import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { findBinding } from '../src/binding.js';
import { type Pki, World } from './binding/peer.mjs';
import { makePki } from './binding/pki.js';
import { type Ending, endings, runInWorker, terminateWorker } from './binding/workers.js';

const found = findBinding();

describe.skipIf('reason' in found)('the addon in workers', () => {
  let pki: Pki;

  beforeAll(async () => {
    pki = await makePki();
  });

  it('four at once run every scene, and end in every way with connections left', async () => {
    const all: Ending[] = ['return', 'exit', 'throw', 'return'];
    const ended = await Promise.all(all.map((ending) => runInWorker(pki, ending)));
    expect(ended).toEqual(
      all.map((ending) => ({ code: endings[ending], errors: ending === 'throw' ? ['thrown on purpose'] : [] })),
    );
  }, 180_000);

  // The addon is unloaded with each of them, which it is only where no other thread has it: so they have a process of their
  // own. OpenSSL gives out 127 kinds of BIO; 3.0 does not mind that there are no more.
  it.skipIf(process.versions.openssl.startsWith('3.0.'))(
    'more of them than OpenSSL has kinds of BIO, one after another, can all make connections',
    async () => {
      const program = fileURLToPath(new URL('./binding/one-after-another.mjs', import.meta.url));
      const { stdout } = await promisify(execFile)(process.execPath, [program, '130']);
      expect(stdout).toBe('130 of 130\n');
    },
    180_000,
  );

  it('four at once are terminated wherever they are, and this thread goes on', async () => {
    if ('reason' in found) return;
    const world = new World(found.binding, pki);
    const before = found.binding.liveCounts();
    const pair = world.simplePair().established();
    for (let round = 0; round < 3; round++) {
      const terminated = [0, 1, 2, 3].map(() => terminateWorker(pki, Math.random() * 300));
      expect((await Promise.all(terminated)).flat()).toEqual([]);
      pair.echo();
    }
    expect(found.binding.liveCounts()).toEqual([before[0] + 2, before[1] + 2]);
  }, 180_000);
});
