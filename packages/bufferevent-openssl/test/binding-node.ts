// Every scene of the addon under Node's own runner, in this thread and in workers, for systems on which vitest does not run.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findBinding } from '../src/binding.js';
import type { Binding } from '../src/binding-contract.js';
import { type Pki, World } from './binding/peer.mjs';
import { makePki } from './binding/pki.js';
import { scenes } from './binding/scenes.mjs';
import { type Ending, endings, runInWorker, terminateWorker } from './binding/workers.js';
import { isOpensslUsable } from './support/usable.js';

if (isOpensslUsable()) test(theAddon(), await makePki());

function theAddon(): Binding {
  const found = findBinding();
  if ('reason' in found) throw new Error(found.reason);
  return found.binding;
}

function test(binding: Binding, pki: Pki): void {
  const world = new World(binding, pki);

  describe('the addon', () => {
    for (const [name, run] of scenes) it(name, () => run(world));
  });

  describe('the addon in workers', () => {
    for (const ending of Object.keys(endings) as Ending[]) {
      it(`runs every scene, and may leave connections behind: ${ending}`, async () => {
        const { code, errors } = await runInWorker(pki, ending);
        assert.equal(code, endings[ending]);
        assert.deepEqual(errors, ending === 'throw' ? ['thrown on purpose'] : []);
      });
    }

    it('may be terminated wherever they are, and this thread goes on', async () => {
      const before = binding.liveCounts();
      const pair = world.simplePair().established();
      for (let round = 0; round < 3; round++) {
        const terminated = [0, 1, 2, 3].map((place) => terminateWorker(pki, place * 90 + round * 30));
        assert.deepEqual((await Promise.all(terminated)).flat(), []);
        pair.echo();
      }
      assert.deepEqual(binding.liveCounts(), [before[0] + 2, before[1] + 2]);
    });
  });
}
