import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { buildFolder } from '../native-program.js';

const table = `${buildFolder}system-calls.txt`;
const patienceMs = 10_000;

export function canTrace(): boolean {
  return spawnSync('strace', ['--version']).status === 0;
}

/** System calls of a process and its threads by name, as `strace -c` counts them while `work` goes on. */
export async function traceSystemCalls(pid: number, work: () => Promise<void>): Promise<Record<string, number>> {
  const words = ['-c', '-f', '-U', 'name,calls', '-o', table, '-p', String(pid)];
  const tracer = spawn('strace', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(tracer, 'exit');
  try {
    // Says that it is attached; ends instead when it may not.
    const attached = once(createInterface({ input: tracer.stderr }), 'line', {
      signal: AbortSignal.timeout(patienceMs),
    });
    const [line] = (await attached) as [string];
    if (!line.includes('attached')) throw new Error(line);
    await work();
  } finally {
    tracer.kill('SIGINT');
    await ended;
  }
  return countsOf(readFileSync(table, 'utf8'));
}

function countsOf(text: string): Record<string, number> {
  const rows = text.matchAll(/^\s*([a-z_]\w*)\s+(\d+)\s*$/gm);
  return Object.fromEntries(
    Array.from(rows, ([, name, calls]) => [name!, Number(calls)]).filter(([name]) => name !== 'total'),
  );
}
