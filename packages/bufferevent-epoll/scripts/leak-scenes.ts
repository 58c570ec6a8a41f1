// Ports that end in every way in workers, and thousands of them in one thread, in a process that ends by itself: what they
// leave behind is for a leak checker to find.
import { runWorker, scenes, states, terminate } from 'bufferevent-backend-compliance/life-cycle';
import { Stage } from '../test/stage.mjs';

const childModule = new URL('../test/child-harness.mjs', import.meta.url).href;

for (const { state, ending } of scenes) await runWorker(childModule, state, ending);
for (const state of states) await runWorker(childModule, state, 'stay', terminate);
for (let round = 0; round < 100; round++) {
  const stage = new Stage();
  await stage.pair();
  await stage.port[Symbol.asyncDispose]();
}
