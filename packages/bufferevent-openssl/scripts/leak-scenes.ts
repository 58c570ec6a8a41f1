// Every scene of the addon in this thread and in workers that end in every way, in a process that ends by itself: what they
// leave behind is for a leak checker to find.

import { findBinding } from '../src/binding.js';
import { World } from '../test/binding/peer.mjs';
import { makePki } from '../test/binding/pki.js';
import { scenes } from '../test/binding/scenes.mjs';
import { type Ending, endings, runInWorker, terminateWorker } from '../test/binding/workers.js';

const found = findBinding();
if ('reason' in found) throw new Error(found.reason);
const pki = await makePki();
const world = new World(found.binding, pki);
for (const run of scenes.values()) run(world);
for (const ending of Object.keys(endings) as Ending[]) await runInWorker(pki, ending);
for (const afterMs of [0, 50, 200, 400]) await terminateWorker(pki, afterMs);
