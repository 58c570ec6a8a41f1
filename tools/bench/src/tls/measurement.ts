import { interleave } from '../rounds.js';
import { writeCredentials } from './credentials.js';
import { buildLoopAddon } from './loop-addon.js';
import {
  churnOnce,
  heldBytesOnce,
  idleOnce,
  recordsOnce,
  startWorker,
  type Worker,
  whyNotPinned,
} from './processes.js';
import type { MemoryThirds, Results, Round, RoundsByPeer, RunDescription } from './results.js';
import {
  type ChurnWay,
  churnId,
  churnWays,
  type IdleKind,
  idle,
  type PeerId,
  peerTitles,
  type RecordsHow,
  records,
  type Work,
  works,
} from './works.js';

export interface MeasurementOptions {
  readonly run: Omit<RunDescription, 'leftOut'>;
  /** Whether a measurement of this id is wanted. */
  readonly wanted: (id: string) => boolean;
  readonly log: (line: string) => void;
}

const idleKinds: readonly IdleKind[] = ['plain', 'tls', 'node-plain', 'node-tls'];

export async function measureAll({ run, wanted, log }: MeasurementOptions): Promise<Results> {
  const pinning = whyNotPinned();
  if (pinning !== null) throw new Error(pinning);
  await writeCredentials();
  const leftOut: string[] = [];
  const missing = buildLoopAddon();
  if (missing !== null) {
    leftOut.push(`${peerTitles['c-loop']}: ${missing.trim().split('\n')[0]}`);
    log(`left out  ${peerTitles['c-loop']}: ${missing}`);
  }
  const rounds: Record<string, RoundsByPeer> = {};
  for (const work of works.filter(({ id }) => wanted(id))) {
    const peers = work.peers.filter((peer) => peer !== 'c-loop' || missing === null);
    rounds[work.id] = await measureWork(work, peers, run, log);
  }
  return {
    run: { ...run, leftOut },
    rounds,
    records: wanted(records.id) ? await measureRecords(log) : {},
    idle: wanted(idle.id) ? await measureIdle(run, log) : {},
    heldBytes: wanted(idle.id) && missing === null ? await heldBytesOnce() : null,
    churn: await measureChurn(run, wanted, log),
  };
}

type Log = MeasurementOptions['log'];
type Run = MeasurementOptions['run'];

async function measureWork(work: Work, peers: readonly PeerId[], run: Run, log: Log): Promise<RoundsByPeer> {
  const workers: Worker[] = [];
  try {
    for (const peer of peers) {
      const worker = await startWorker(work, peer, run);
      workers.push(worker);
      await worker.warmUp();
    }
    const measured = await interleave(peers, run.rounds, async (peer, index) => {
      const round = await workers[index]!.round();
      log(`${work.id}  ${peerTitles[peer]}: ${describe(work, round)}`);
      return round;
    });
    return Object.fromEntries(peers.map((peer, index) => [peer, measured[index]!]));
  } finally {
    for (const worker of workers) worker[Symbol.dispose]();
  }
}

function describe({ unit }: Work, { perCpuSecond, serverPercent, loadPercent }: Round): string {
  const cores =
    serverPercent === undefined ? '' : `, server ${serverPercent.toFixed(0)}%, load ${loadPercent!.toFixed(0)}%`;
  return `${perCpuSecond.toPrecision(4)} ${unit}${cores}`;
}

async function measureRecords(log: Log): Promise<Results['records']> {
  const measured: Partial<Record<RecordsHow, number>> = {};
  for (const how of ['once', 'welcome'] as const) {
    measured[how] = await recordsOnce(how);
    log(`${records.id}  ${how}: ${measured[how]} records`);
  }
  return measured;
}

async function measureIdle({ idleRounds, idleConnections }: Run, log: Log): Promise<Results['idle']> {
  const measured = await interleave(idleKinds, idleRounds, async (kind) => {
    const bytes = await idleOnce(kind, idleConnections);
    log(`${idle.id}  ${kind}: ${bytes.toFixed(0)} B`);
    return bytes;
  });
  return Object.fromEntries(idleKinds.map((kind, index) => [kind, measured[index]!]));
}

async function measureChurn({ churnConnections }: Run, wanted: (id: string) => boolean, log: Log) {
  const measured: Partial<Record<ChurnWay, MemoryThirds>> = {};
  for (const way of churnWays.filter((one) => wanted(churnId(one)))) {
    const { first, middle, last } = await churnOnce(way, churnConnections);
    measured[way] = { first, middle, last };
    log(`${churnId(way)}  ${first.toFixed(1)}, ${middle.toFixed(1)}, ${last.toFixed(1)} MiB`);
  }
  return measured;
}
