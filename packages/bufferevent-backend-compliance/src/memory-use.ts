import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/**
 * Bytes of all array buffers that are in use. Garbage is collected first: what goes while something is measured would
 * hide what comes.
 */
export function arrayBufferBytes(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = globalThis.gc ?? (runInNewContext('gc') as () => void);
  }
  collect();
  return process.memoryUsage().arrayBuffers;
}
