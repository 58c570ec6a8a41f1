/**
 * Bytes of all array buffers of this process. Garbage counts until it is collected: with `--expose-gc` that is done
 * first; without, cases leave room for what they themselves throw away.
 */
export function arrayBufferBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().arrayBuffers;
}
