import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { ServerProcess } from 'echo/load';
import { buildFolder, compileC } from '../native-program.js';
import { interleave } from '../rounds.js';
import { measureEvidence } from './evidence.js';
import type { Sample } from './figures.js';
import { runLoad, startServer, whyNotPinned } from './processes.js';
import { residentBytes } from './resident-memory.js';
import type { Results, RunDescription, SamplesByServer } from './results.js';
import { type ServerKind, servers } from './servers.js';
import { behaviourFor, type ExchangeTask, type Task, type Workload, workloads } from './workloads.js';

export interface MeasurementOptions {
  readonly run: Omit<RunDescription, 'leftOut'>;
  /** Whether a measurement, or a server, of this id is wanted. */
  readonly wanted: (id: string) => boolean;
  readonly wantedServer: (id: string) => boolean;
  readonly log: (line: string) => void;
}

/** Descriptors that a process needs beside its connections. */
const SPARE_DESCRIPTORS = 300;

type HoldTask = Extract<Task, { does: 'hold' }>;
type MovingTask = Exclude<Task, HoldTask>;

export async function measureAll({ run, wanted, wantedServer, log }: MeasurementOptions): Promise<Results> {
  const pinning = whyNotPinned();
  if (pinning !== null) throw new Error(pinning);
  const missing = compileC('loadgen');
  if (missing !== null) throw new Error(`the load generator can't be compiled: ${missing}`);
  const leftOut: string[] = [];
  const leaveOut = (what: string, why: string): void => {
    leftOut.push(`${what}: ${why.trim().split('\n')[0]}`);
    log(`left out  ${what}: ${why}`);
  };
  const present = servers.filter(({ id, title, prepare }) => {
    if (!wantedServer(id)) return false;
    const reason = prepare();
    if (reason !== null) leaveOut(title, reason);
    return reason === null;
  });
  const samples: Record<string, SamplesByServer> = {};
  for (const workload of workloads.filter(({ id }) => wanted(id))) {
    const { id, title, task } = workload;
    if ('connections' in task && task.connections + SPARE_DESCRIPTORS > descriptorLimit()) {
      leaveOut(title, `a process may have ${descriptorLimit()} descriptors only`);
      continue;
    }
    samples[id] = await measureWorkload(workload, present, run, leaveOut, log);
  }
  const evidence = wanted('evidence') ? await measureEvidence(present, run.seconds, leaveOut, log) : null;
  return { run: { ...run, leftOut }, samples, evidence };
}

async function measureWorkload(
  { id, title, task }: Workload,
  present: readonly ServerKind[],
  run: MeasurementOptions['run'],
  leaveOut: (what: string, why: string) => void,
  log: (line: string) => void,
): Promise<SamplesByServer> {
  const behaviour = behaviourFor(task);
  const bytes = run.mebibytes * 2 ** 20;
  const detail = behaviour === 'source' ? String(bytes) : behaviour === 'file' ? fileOf(bytes) : '';
  const kinds = present.filter(({ behaviours }) => behaviours.includes(behaviour));
  /** All live from their first round to the last. */
  const started = new Map<ServerKind, ServerProcess>();
  const serverOf = async (kind: ServerKind): Promise<ServerProcess> => {
    const server = started.get(kind) ?? (await startServer(kind, behaviour, detail));
    started.set(kind, server);
    return server;
  };
  const measure = async (kind: ServerKind, task: Task): Promise<Sample> => {
    switch (task.does) {
      case 'hold':
        return hold(kind, task);
      case 'share':
        return share(kind, task, run);
      default:
        return load(await serverOf(kind), task, run);
    }
  };
  const failed = new Set<ServerKind>();
  try {
    const measured = await interleave(kinds, run.rounds, async (kind): Promise<Sample> => {
      if (failed.has(kind)) return {};
      try {
        const sample = await measure(kind, task);
        log(`${id}  ${kind.title}: ${describe(sample)}`);
        return sample;
      } catch (error) {
        failed.add(kind);
        leaveOut(`${title}, ${kind.title}`, error instanceof Error ? error.message : String(error));
        return {};
      }
    });
    return Object.fromEntries(
      kinds.flatMap((kind, index) => (failed.has(kind) ? [] : [[kind.id, measured[index]!] as const])),
    );
  } finally {
    for (const server of started.values()) server.kill();
  }
}

async function load(server: ServerProcess, task: MovingTask, run: MeasurementOptions['run']): Promise<Sample> {
  switch (task.does) {
    case 'exchange':
    case 'lines':
    case 'share': {
      const { does, connections, bytes, depth } = task;
      const exchanged = does === 'share' ? 'exchange' : does;
      const words = [exchanged, connections, bytes, depth, run.warmUpSeconds, run.seconds];
      const result = await runLoad(server, words);
      const { seconds, messages, latencyNs } = result;
      const cpuSeconds = result.serverUserSeconds + result.serverSystemSeconds + result.loadCpuSeconds;
      return {
        messagesPerSecond: messages / seconds,
        megabytesPerSecond: result.bytes / 1e6 / seconds,
        p50Microseconds: latencyNs.p50 / 1e3,
        p99Microseconds: latencyNs.p99 / 1e3,
        p999Microseconds: latencyNs.p999 / 1e3,
        messagesPerCpuSecond: messages / cpuSeconds,
        ...cpuTime(result, messages),
      };
    }
    case 'upload':
    case 'download': {
      const result = await runLoad(server, [task.does, run.mebibytes * 2 ** 20]);
      const megabytes = result.bytes / 1e6;
      return { megabytesPerSecond: megabytes / result.seconds, ...cpuTime(result, megabytes) };
    }
  }
}

function cpuTime(
  { serverUserSeconds, serverSystemSeconds, loadCpuSeconds, seconds }: Awaited<ReturnType<typeof runLoad>>,
  work: number,
): Sample {
  return {
    userMicroseconds: (serverUserSeconds * 1e6) / work,
    systemMicroseconds: (serverSystemSeconds * 1e6) / work,
    cpuMicroseconds: ((serverUserSeconds + serverSystemSeconds) * 1e6) / work,
    serverPercent: (100 * (serverUserSeconds + serverSystemSeconds)) / seconds,
    loadPercent: (100 * loadCpuSeconds) / seconds,
  };
}

/** Every round has new workers, which say how many connections each of them had when they are told to end. */
async function share(kind: ServerKind, task: ExchangeTask, run: MeasurementOptions['run']): Promise<Sample> {
  const server = await startServer(kind, 'workers', '');
  try {
    const sample = await load(server, task, run);
    const output = text(server.process.stdout!);
    await server.stop();
    const [, connections] = /^served (.+) connections$/m.exec(await output) ?? [];
    if (connections === undefined) throw new Error(`the workers said "${await output}"`);
    const counts = connections.split(' + ').map(Number);
    return { ...sample, fewestConnections: Math.min(...counts), mostConnections: Math.max(...counts) };
  } finally {
    server.kill();
  }
}

/** A process that has held connections before holds on to some of their memory: every round has a new one. */
async function hold(kind: ServerKind, { connections }: HoldTask): Promise<Sample> {
  const server = await startServer(kind, 'echo', '', ['--expose-gc']);
  try {
    return { residentBytes: await residentBytes(server, connections) };
  } finally {
    server.kill();
  }
}

function describe(sample: Sample): string {
  return Object.entries(sample)
    .map(([figure, value]) => `${figure} ${value.toPrecision(4)}`)
    .join(', ');
}

/** Written once: what is in it does not matter, as long as it takes room on the disk. */
function fileOf(bytes: number): string {
  const path = `${buildFolder}sent-${bytes}.bin`;
  if (existsSync(path) && statSync(path).size === bytes) return path;
  const piece = Buffer.alloc(2 ** 20, 'file');
  const file = openSync(path, 'w');
  for (let left = bytes; left > 0; left -= piece.length) writeSync(file, piece, 0, Math.min(left, piece.length));
  closeSync(file);
  return path;
}

function descriptorLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
