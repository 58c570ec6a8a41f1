import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/**
 * Bytes of all array buffers that are in use. Garbage is collected first: what goes while something is measured would
 * hide what comes. Synchronous; takes some milliseconds.
 */
export function arrayBufferBytes(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = globalThis.gc ?? (runInNewContext('gc') as () => void);
  }
  collect();
  // What the first one found is freed in the background; the second waits for that.
  collect();
  return process.memoryUsage().arrayBuffers;
}
