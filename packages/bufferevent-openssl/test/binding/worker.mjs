// @ts-check
// Runs the scenes over and over, says so after each round, and leaves connections behind. Ends in the way it was told,
// `never` by itself.
import { parentPort, workerData } from 'node:worker_threads';
import { findBinding } from '../../dist/binding.js';
import { World } from './peer.mjs';
import { scenes } from './scenes.mjs';

const { pki, rounds, ending } = workerData;
const found = findBinding();
if ('reason' in found) throw new Error(found.reason);
const world = new World(found.binding, pki);
const left = [world.simplePair().established(), world.simplePair()];
for (let round = 0; round < rounds; round++) {
  for (const run of scenes.values()) run(world);
  parentPort?.postMessage(round);
}
for (const pair of left.slice(0, 1)) pair.echo();
if (ending === 'exit') process.exit(7);
if (ending === 'throw') throw new Error('thrown on purpose');
