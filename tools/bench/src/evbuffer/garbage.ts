import { PerformanceObserver, performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { runChecked, warmUp } from './cpu-time.js';
import type { Operation } from './operation.js';

/** Room for what is counted, so that V8 collects nothing meanwhile. Peers that need more are counted over fewer operations. */
export const GARBAGE_FLAGS: readonly string[] = [
  '--expose-gc',
  '--min-semi-space-size=1024',
  '--max-semi-space-size=1024',
];
const MOST_OPERATIONS = 1_000_000;

/** Most bytes an operation of evbuffer may leave to the garbage collector in steady state. */
export const GARBAGE_LIMIT_BYTES = 16;

/** Bytes on V8's heap and in ArrayBuffers that an operation takes and that only a garbage collection gives back. */
export async function measureGarbage(operation: Operation): Promise<number> {
  warmUp(operation);
  const collections: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries()) collections.push(startTime);
  });
  observer.observe({ entryTypes: ['gc'] });
  try {
    for (let times = MOST_OPERATIONS; times >= 1000; times /= 10) {
      (globalThis as { gc?: () => void }).gc?.();
      const started = performance.now();
      const before = allocated();
      runChecked(operation, times);
      const after = allocated();
      // Entries arrive in a later turn of the event loop.
      await setTimeout(20);
      if (collections.every((at) => at < started)) return (after - before) / times;
    }
  } finally {
    observer.disconnect();
  }
  throw new Error('V8 collects garbage within 1000 operations');
}

function allocated(): number {
  return getHeapStatistics().used_heap_size + process.memoryUsage().arrayBuffers;
}
