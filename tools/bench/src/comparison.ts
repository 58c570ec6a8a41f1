import type { ServerProcess, Usage } from 'echo/load';
import { type Candidate, start } from './candidates.js';
import { median } from './statistics.js';
import type { Workload } from './workloads.js';

/** One candidate's numbers; ratios are those of each round to the reference in the same round, so that drift cancels. */
export interface Measured {
  readonly candidate: Candidate;
  readonly rate: number;
  readonly cpuMicroseconds: number;
  readonly maxRssBytes: number;
  readonly rateRatio: number;
  readonly rateRatioRange: readonly [number, number];
  readonly cpuRatio: number;
}

export interface Comparison {
  readonly workload: Workload;
  readonly rounds: number;
  readonly measured: readonly Measured[];
}

interface Sample {
  readonly rate: number;
  readonly cpuMicroseconds: number;
}

/**
 * Every candidate in a process of its own, all alive for the whole comparison; the rounds are interleaved (A B C, B C A, …)
 * and a few come before that do not count, while V8 still compiles. The last candidate is the reference.
 */
export async function compare(
  workload: Workload,
  candidates: readonly Candidate[],
  rounds: number,
  warmUps: number,
  log: (line: string) => void,
): Promise<Comparison> {
  const servers: ServerProcess[] = [];
  try {
    for (const candidate of candidates) servers.push(await start(candidate));
    const samples: Sample[][] = candidates.map(() => []);
    for (let round = 1 - warmUps; round <= rounds; round++) {
      for (let turn = 0; turn < candidates.length; turn++) {
        const index = (round + warmUps + turn) % candidates.length;
        const sample = await measure(workload, servers[index]!);
        if (round > 0) samples[index]!.push(sample);
        log(
          `${round > 0 ? `round ${round}` : 'warm-up'}  ${candidates[index]!.name}: ` +
            `${sample.rate.toFixed(0)} ${workload.rateUnit}, ${sample.cpuMicroseconds.toFixed(2)} ${workload.cpuUnit}`,
        );
      }
    }
    const usages = await Promise.all(servers.map((server) => server.usage()));
    for (const server of servers) {
      const code = await server.stop();
      if (code !== 0) throw new Error(`a server ended with ${code}`);
    }
    return { workload, rounds, measured: candidates.map((_, index) => summarise(index, candidates, samples, usages)) };
  } finally {
    for (const server of servers) server.kill();
  }
}

async function measure(workload: Workload, server: ServerProcess): Promise<Sample> {
  const before = await server.usage();
  const { rate, work } = await workload.run(server.target);
  const after = await server.usage();
  return { rate, cpuMicroseconds: (cpu(after) - cpu(before)) / work };
}

function cpu({ cpu: { user, system } }: Usage): number {
  return user + system;
}

function summarise(
  index: number,
  candidates: readonly Candidate[],
  samples: readonly (readonly Sample[])[],
  usages: readonly Usage[],
): Measured {
  const own = samples[index]!;
  const reference = samples.at(-1)!;
  const rateRatios = own.map(({ rate }, round) => rate / reference[round]!.rate);
  return {
    candidate: candidates[index]!,
    rate: median(own.map(({ rate }) => rate)),
    cpuMicroseconds: median(own.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    maxRssBytes: usages[index]!.maxRssBytes,
    rateRatio: median(rateRatios),
    rateRatioRange: [Math.min(...rateRatios), Math.max(...rateRatios)],
    cpuRatio: median(own.map(({ cpuMicroseconds }, round) => cpuMicroseconds / reference[round]!.cpuMicroseconds)),
  };
}
