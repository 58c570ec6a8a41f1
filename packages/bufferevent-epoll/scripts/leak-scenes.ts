// Ports that end in every way in workers, and thousands of them in one thread, in a process that ends by itself: what they
// leave behind is for a leak checker to find.
import { runWorker, scenes, states, terminate } from '../test/life-cycle.js';
import { Stage } from '../test/stage.mjs';

for (const { state, ending } of scenes) await runWorker(state, ending);
for (const state of states) await runWorker(state, 'stay', terminate);
for (let round = 0; round < 100; round++) {
  const stage = new Stage();
  await stage.pair();
  await stage.port[Symbol.asyncDispose]();
}
