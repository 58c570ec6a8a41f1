import { measureBundleSize } from './bundle-size.js';
import { type MemoryThirds, memoryWorks } from './memory.js';
import { garbageOnce, libeventScaleOnce, memoryOnce, scaleOnce, timeOnce } from './processes.js';
import { buildLibevent, buildWorker } from './programs.js';
import type { Results, RunDescription, TimesByPeer } from './results.js';
import { scales } from './scale.js';
import { type PeerName, works } from './works.js';

/** Works after which steady state is looked at for garbage; evbuffer's peers are measured with it, for comparison. */
export const garbageWorks: readonly string[] = [
  'add-drain',
  'add-drain-empty',
  'reference-drain',
  'reference-drain-empty',
];

export interface MeasurementOptions {
  readonly run: Omit<RunDescription, 'libeventMissing'>;
  /** Whether a measurement of this id is wanted. */
  readonly wanted: (id: string) => boolean;
  readonly log: (line: string) => void;
}

export async function measureAll({ run, wanted, log }: MeasurementOptions): Promise<Results> {
  await buildWorker();
  const libeventMissing = buildLibevent();
  if (libeventMissing !== null) log(`libevent is not measured: ${libeventMissing}`);
  return {
    run: { ...run, libeventMissing },
    times: await measureTimes(run.rounds, libeventMissing === null, wanted, log),
    scales: await measureScales(run.scaleRounds, wanted, log),
    libeventScales: libeventMissing === null ? await measureLibeventScales(run.scaleRounds, wanted, log) : {},
    garbage: await measureGarbage(wanted, log),
    memory: await measureMemory(run.memoryGibibytes * 2 ** 30, wanted, log),
    size: wanted('size') ? await measureBundleSize() : null,
  };
}

type Wanted = MeasurementOptions['wanted'];
type Log = MeasurementOptions['log'];

async function measureTimes(
  rounds: number,
  withLibevent: boolean,
  wanted: Wanted,
  log: Log,
): Promise<Results['times']> {
  const times: Record<string, TimesByPeer> = {};
  for (const work of works.filter(({ id }) => wanted(id))) {
    const peers = work.peers.filter((peer) => withLibevent || peer !== 'libevent');
    const measured = await roundsOf(
      peers,
      rounds,
      () => timeOnce(work, peers),
      (peer, ns) => {
        log(`${work.id}  ${peer}: ${ns.toFixed(1)} ${work.unit}`);
      },
    );
    times[work.id] = Object.fromEntries(peers.map((peer, index) => [peer, measured[index]!]));
  }
  return times;
}

async function measureScales(rounds: number, wanted: Wanted, log: Log): Promise<Results['scales']> {
  const measured: Record<string, number[][]> = {};
  for (const scale of scales.filter(({ id }) => wanted(id))) {
    measured[scale.id] = await roundsOf(
      scale.states,
      rounds,
      () => scaleOnce(scale),
      ({ label }, ns) => {
        log(`${scale.id}  ${label}: ${ns.toFixed(1)} ns`);
      },
    );
  }
  return measured;
}

async function measureLibeventScales(rounds: number, wanted: Wanted, log: Log): Promise<Results['scales']> {
  const measured: Record<string, number[][]> = {};
  for (const scale of scales.filter(({ id, withLibevent }) => withLibevent && wanted(id))) {
    measured[scale.id] = await roundsOf(
      scale.states,
      rounds,
      () => libeventScaleOnce(scale),
      ({ label }, ns) => {
        log(`${scale.id}  libevent, ${label}: ${ns.toFixed(1)} ns`);
      },
    );
  }
  return measured;
}

/** For each candidate its figure of every round; a round measures all of them by turns. */
async function roundsOf<Candidate>(
  candidates: readonly Candidate[],
  rounds: number,
  measureRound: () => Promise<number[]>,
  tell: (candidate: Candidate, figure: number) => void,
): Promise<number[][]> {
  const results: number[][] = candidates.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const figures = await measureRound();
    for (const [index, candidate] of candidates.entries()) {
      results[index]!.push(figures[index]!);
      tell(candidate, figures[index]!);
    }
  }
  return results;
}

async function measureGarbage(wanted: Wanted, log: Log): Promise<Results['garbage']> {
  const measured: Record<string, Partial<Record<PeerName, number>>> = {};
  for (const { id, peers } of works.filter((work) => garbageWorks.includes(work.id) && wanted(`garbage-${work.id}`))) {
    const byPeer: Partial<Record<PeerName, number>> = {};
    for (const peer of peers.filter((name) => name !== 'libevent')) {
      byPeer[peer] = await garbageOnce(id, peer);
      log(`garbage-${id}  ${peer}: ${byPeer[peer].toFixed(1)} bytes an operation`);
    }
    measured[id] = byPeer;
  }
  return measured;
}

async function measureMemory(totalBytes: number, wanted: Wanted, log: Log): Promise<Results['memory']> {
  const measured: Record<string, MemoryThirds> = {};
  for (const { id } of memoryWorks.filter((work) => wanted(work.id))) {
    const thirds = await memoryOnce(id, totalBytes);
    measured[id] = thirds;
    log(`${id}  middle third: ${thirds.middle.toFixed(1)} MiB, last third: ${thirds.last.toFixed(1)} MiB`);
  }
  return measured;
}
