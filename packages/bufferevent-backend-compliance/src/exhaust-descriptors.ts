import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Exhaustion } from './harness.js';

const file = fileURLToPath(import.meta.url);

/** Takes every descriptor that the process may still open, until `restore`. For systems on which files and sockets are of one kind. */
export function exhaustDescriptors(): Exhaustion {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync(file, 'r'));
  } catch {
    return { restore: () => taken.forEach(closeSync) };
  }
}
