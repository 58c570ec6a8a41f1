import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenFile } from './harness.js';

/** An open file of the system that holds `bytes` from offset `at` on, and nothing before; `close` also removes it. */
export function temporaryFile(bytes: Uint8Array, at = 0): OpenFile {
  const folder = mkdtempSync(join(tmpdir(), 'bufferevent-file-'));
  const descriptor = openSync(join(folder, 'file'), 'w+');
  ftruncateSync(descriptor, at + bytes.length);
  writeSync(descriptor, bytes, 0, bytes.length, at);
  return {
    descriptor,
    close() {
      closeSync(descriptor);
      rmSync(folder, { recursive: true });
    },
  };
}
