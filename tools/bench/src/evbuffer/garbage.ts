import { AllocationCount } from '../../servers/allocation.mjs';
import { runChecked, warmUp } from './cpu-time.js';
import type { Operation } from './operation.js';

/** Peers that need more room than V8 gets are counted over fewer. */
const MOST_OPERATIONS = 1_000_000;

/** Most bytes an operation of evbuffer may leave to the garbage collector in steady state. */
export const GARBAGE_LIMIT_BYTES = 16;

/** Bytes on V8's heap and in ArrayBuffers that an operation takes and that only a garbage collection gives back. */
export async function measureGarbage(operation: Operation): Promise<number> {
  warmUp(operation);
  const count = new AllocationCount();
  for (let times = MOST_OPERATIONS; times >= 1000; times /= 10) {
    count.start();
    runChecked(operation, times);
    const bytes = await count.stop();
    if (bytes !== null) return bytes / times;
  }
  throw new Error('V8 collects garbage within 1000 operations');
}
