// @ts-check
// How garbage is counted: V8 gets so much room that it collects nothing meanwhile, and everything allocated is still there.
import { PerformanceObserver, performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';

/** @type {readonly string[]} */
export const GARBAGE_FLAGS = ['--expose-gc', '--min-semi-space-size=1024', '--max-semi-space-size=1024'];

/** What is taken on V8's heap and in ArrayBuffers between `start()` and `stop()`. Wants `GARBAGE_FLAGS`. */
export class AllocationCount {
  #before = 0;
  #started = 0;
  /** @type {number[]} */
  #collections = [];
  #observer = new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries()) this.#collections.push(startTime);
  });

  start() {
    this.#observer.observe({ entryTypes: ['gc'] });
    globalThis.gc?.();
    this.#started = performance.now();
    this.#before = allocated();
  }

  /** @returns {Promise<number | null>} bytes; `null` when V8 has collected some of them */
  async stop() {
    const bytes = allocated() - this.#before;
    const stopped = performance.now();
    // Entries arrive in a later turn of the event loop.
    await setTimeout(20);
    this.#observer.disconnect();
    return this.#collections.some((at) => at >= this.#started && at <= stopped) ? null : bytes;
  }
}

function allocated() {
  return getHeapStatistics().used_heap_size + process.memoryUsage().arrayBuffers;
}
