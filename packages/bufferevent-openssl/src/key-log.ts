import { openSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Ssl } from './ssl.js';

/** Gets the secrets of a connection, one line of the NSS key log format each, without the line end. */
export type KeyLogFunction = (line: string, ssl: Ssl) => void;

/** Files of this thread that lines are appended to; they stay open, as they do in every program that logs keys. */
const descriptors = new Map<string, number>();

/**
 * Appends to a file, which only its owner can read if it is new. Whole lines are written at once and without waiting, so
 * that threads and processes can share the file, and that it is complete when a process ends badly.
 */
export function keyLogFile(file: string | URL): KeyLogFunction {
  const path = typeof file === 'string' ? file : fileURLToPath(file);
  let descriptor = descriptors.get(path);
  if (descriptor === undefined) {
    descriptor = openSync(path, 'a', 0o600);
    descriptors.set(path, descriptor);
  }
  const open = descriptor;
  return (line) => {
    writeSync(open, `${line}\n`);
  };
}
