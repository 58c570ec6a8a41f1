import { beforeAll, describe, it } from 'vitest';
import { findBinding } from '../src/binding.js';
import { World } from './binding/peer.mjs';
import { makePki } from './binding/pki.js';
import { scenes } from './binding/scenes.mjs';

const found = findBinding();

describe.skipIf('reason' in found)('the addon', () => {
  let world: World;

  beforeAll(async () => {
    if ('binding' in found) world = new World(found.binding, await makePki());
  });

  for (const [name, run] of scenes) it(name, () => run(world));
});
