// What a connection costs that does nothing: `pnpm --filter bench idle-connections`, after a build.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ask } from './ask.js';
import { benchmarksPage, rewriteSection } from './docs-section.js';
import { runDescription } from './run-description.js';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '10000' },
    /** How long CPU time is counted. */
    seconds: { type: 'string', default: '10' },
    /** Writes the tables into docs/benchmarks.md. */
    write: { type: 'boolean', default: false },
    /** Ends with 1 when a requirement is missed. */
    check: { type: 'boolean', default: false },
  },
});

const MOST_HEAP_BYTES = 1280;
/** What a process that holds nothing may show too: its own timers, garbage collection when idle. */
const MOST_CPU_MS = 20;
/** Held before the heap is looked at for the first time, so that code that is compiled on the way does not count. */
const WARM_UP = 200;

type Holder = 'bare' | 'bufferevent';
type BackendName = 'memory' | 'net';

interface Idle {
  /** JavaScript heap of each connection, all layers together. */
  readonly heapBytes: number;
  readonly cpuMs: number;
}

const holderScript = fileURLToPath(new URL('../servers/idle.mjs', import.meta.url));
const clientsScript = fileURLToPath(new URL('../servers/idle-clients.mjs', import.meta.url));

async function hold(holder: Holder, backend: BackendName, connections: number, idleMs: number): Promise<Idle> {
  // V8 collects garbage by itself a few seconds after a burst of allocation: that is not what idling costs.
  const server = fork(holderScript, [holder, backend], { execArgv: ['--expose-gc', '--no-memory-reducer'] });
  let clients: ChildProcess | null = null;
  try {
    const { listening } = await ask<{ listening: number }>(server);
    if (backend === 'net') {
      clients = fork(clientsScript, [String(listening)], { execArgv: [] });
      await ask(clients);
    }
    const dialler = clients ?? server;
    const heapWith = async (open: number, until: number): Promise<number> => {
      dialler.send({ open });
      return (await ask<{ heapUsed: number }>(server, { until })).heapUsed;
    };
    const before = await heapWith(WARM_UP, WARM_UP);
    const after = await heapWith(connections, WARM_UP + connections);
    const { cpuMicroseconds } = await ask<{ cpuMicroseconds: number }>(server, { idleMs });
    return { heapBytes: (after - before) / connections, cpuMs: cpuMicroseconds / 1000 };
  } finally {
    clients?.kill('SIGKILL');
    server.kill('SIGKILL');
  }
}

const connections = Number(values.connections);
const idleMs = Number(values.seconds) * 1000;
const rows: string[] = [];
const missed: string[] = [];
for (const backend of ['memory', 'net'] as const) {
  const rounds: { readonly bare: Idle; readonly ours: Idle }[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    const bare = await hold('bare', backend, connections, 0);
    const ours = await hold('bufferevent', backend, connections, idleMs);
    rounds.push({ bare, ours });
    process.stderr.write(
      `round ${round}  ${backend}: ${(ours.heapBytes - bare.heapBytes).toFixed(0)} bytes beyond ${bare.heapBytes.toFixed(0)}, ${ours.cpuMs.toFixed(1)} ms\n`,
    );
  }
  const of = (value: (round: { bare: Idle; ours: Idle }) => number): number => median(rounds.map(value));
  const bareBytes = of(({ bare }) => bare.heapBytes);
  const ourBytes = of(({ ours, bare }) => ours.heapBytes - bare.heapBytes);
  const cpuMs = of(({ ours }) => ours.cpuMs);
  const holds = { heap: ourBytes <= MOST_HEAP_BYTES, cpu: cpuMs <= MOST_CPU_MS };
  rows.push(
    `| ${backend} | ${bareBytes.toFixed(0)} B | ${ourBytes.toFixed(0)} B | at most ${MOST_HEAP_BYTES} B | ${yes(holds.heap)} | ${cpuMs.toFixed(1)} ms | at most ${MOST_CPU_MS} ms | ${yes(holds.cpu)} |`,
  );
  if (!holds.heap) missed.push(`${backend}: ${ourBytes.toFixed(0)} bytes of heap, required at most ${MOST_HEAP_BYTES}`);
  if (!holds.cpu) missed.push(`${backend}: ${cpuMs.toFixed(1)} ms of CPU time, required at most ${MOST_CPU_MS}`);
}

function yes(holds: boolean): string {
  return holds ? 'yes' : '**no**';
}

const text = [
  runDescription(),
  '',
  `${connections} connections, all five time-outs set; medians of ${values.rounds} rounds. Heap a connection; CPU time of all together in ${values.seconds} s.`,
  '',
  '| backend | heap below | heap of the bufferevent | required | holds | CPU time | required | holds |',
  '|---|--:|--:|--:|--:|--:|--:|--:|',
  ...rows,
].join('\n');
console.log(text);
if (values.write) rewriteSection(benchmarksPage, 'idle-connections', text);
if (values.check && missed.length > 0) {
  for (const line of missed) console.error(`missed: ${line}`);
  process.exitCode = 1;
}
