// @ts-check
import { setImmediate } from 'node:timers/promises';

/** Collects garbage on SIGUSR2, with `--expose-gc`: what is left is what the process really holds. */
export function collectGarbageOnDemand() {
  const { gc } = globalThis;
  if (gc === undefined) return;
  process.on('SIGUSR2', async () => {
    // Finalizers run in between, and let go of more.
    for (let times = 0; times < 5; times++) {
      gc();
      await setImmediate();
    }
  });
}
