import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { ServerProcess } from 'echo/load';
import { HeldConnections, pidOf } from './processes.js';

/** Held before memory is looked at for the first time, so that what is made once does not count. */
const WARM_UP = 200;
const LOOK_MS = 250;
const LOOKS = 40;
/** Two looks that differ by no more show the same. */
const SAME_BYTES = 128 * 1024;

/** Resident memory of each of so many idle connections, after the server has collected its garbage; the kernel's is not in it. */
export async function residentBytes(server: ServerProcess, connections: number): Promise<number> {
  using held = new HeldConnections(server);
  await held.open(WARM_UP);
  const before = await memoryWith(server, WARM_UP);
  await held.open(connections);
  const after = await memoryWith(server, WARM_UP + connections);
  await held.close();
  return (after - before) / connections;
}

async function memoryWith(server: ServerProcess, connections: number): Promise<number> {
  const pid = pidOf(server);
  await until(async () => (await readdir(`/proc/${pid}/fd`)).length >= connections);
  process.kill(pid, 'SIGUSR2');
  let last = Number.NaN;
  await until(async () => {
    const before = last;
    last = await residentMemory(pid);
    return Math.abs(last - before) <= SAME_BYTES;
  });
  return last;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < LOOKS; looks++) {
    await wait(LOOK_MS);
    if (await condition()) return;
  }
  throw new Error('a server does not come to rest');
}

async function residentMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error('no resident memory');
  return Number(kibibytes) * 1024;
}
