// What is left in the memory of a process by things that are gone.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findBinding } from '../src/binding.js';
import { makePki } from './binding/pki.js';
import { countInMemory } from './support/memory-of-process.js';

/** A line of the key log, also without its beginning, where the allocator puts marks of its own. */
const keyLogLine = /[0-9a-f]{64} [0-9a-f]{64}/g;
/** A session of a client in DER: its secret, its times, and then the certificate of the server. */
const session =
  /\x04[\x20\x30][\s\S]{32,48}?\xa1\x06\x02\x04[\s\S]{4}\xa2[\x03\x04]\x02[\x01\x02][\s\S]{1,2}\xa3\x82/g;

async function withChild(program: string, look: (child: ChildProcess, pid: number) => Promise<void>): Promise<void> {
  const child = fork(fileURLToPath(new URL(`./binding/${program}`, import.meta.url)), { execArgv: [] });
  try {
    await look(child, child.pid as number);
  } finally {
    child.kill('SIGKILL');
  }
}

describe.skipIf('reason' in findBinding() || process.platform !== 'linux')('what is left in memory', () => {
  it('of sessions and lines of the key log that nobody has taken is nothing', async () => {
    await withChild('secrets.mjs', async (child, pid) => {
      child.send(await makePki());
      await once(child, 'message');
      expect(countInMemory(pid, keyLogLine)).toBeGreaterThan(0);
      expect(countInMemory(pid, session)).toBeGreaterThan(0);
      child.send('free');
      await once(child, 'message');
      expect(countInMemory(pid, keyLogLine)).toBe(0);
      expect(countInMemory(pid, session)).toBe(0);
    });
  });
});
