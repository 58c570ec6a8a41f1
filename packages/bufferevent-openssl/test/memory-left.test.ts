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
/** A session of a client in DER, in hex: its secret, its times, and then the certificate of the server. */
const session = /04[23]0.{64,96}?a1060204.{8}a20[34]020[12].{2,4}a382/g;

async function withChild(
  program: string,
  words: readonly string[],
  look: (child: ChildProcess, pid: number) => Promise<void>,
  execArgv: string[] = [],
): Promise<void> {
  const child = fork(fileURLToPath(new URL(`./binding/${program}`, import.meta.url)), words, {
    execArgv,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    await look(child, child.pid as number);
  } finally {
    child.kill('SIGKILL');
  }
}

describe.skipIf('reason' in findBinding() || process.platform !== 'linux')('what is left in memory', () => {
  it('of sessions and lines of the key log that nobody has taken is nothing', async () => {
    await withChild('secrets.mjs', [], async (child, pid) => {
      child.send(await makePki());
      await once(child, 'message');
      expect(countInMemory(pid, keyLogLine)).toBeGreaterThan(0);
      expect(countInMemory(pid, session, 'hex')).toBeGreaterThan(0);
      child.send('free');
      await once(child, 'message');
      expect(countInMemory(pid, keyLogLine)).toBe(0);
      expect(countInMemory(pid, session, 'hex')).toBe(0);
    });
  }, 60_000);

  // The addon is unloaded with each of them.
  it('of workers, one after another, is no method of BIOs: each costs bounded memory', async () => {
    await withChild('one-after-another.mjs', ['12'], async (child, pid) => {
      expect(await once(child, 'message')).toEqual([12, undefined]);
      expect(countInMemory(pid, /bufferevent memory/g)).toBeLessThan(4);
    });
  }, 60_000);

  // A closure or a table that is old for no good reason keeps them, and all that came after them.
  it('of connections that come and go is nothing among old objects: the many quick collections suffice', async () => {
    const look = async (child: ChildProcess): Promise<void> => {
      child.send(await makePki());
      const [grown] = (await once(child, 'message')) as [number];
      expect(grown).toBeLessThan(1024 * 1024);
    };
    await withChild('come-and-go.mjs', [], look, ['--max-semi-space-size=2']);
  }, 60_000);
});
