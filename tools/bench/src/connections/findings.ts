import type { Finding } from '../findings.js';
import { judgeLimit, times } from '../judgement.js';
import { median } from '../statistics.js';
import { sum } from './evidence.js';
import type { Figure } from './figures.js';
import { describeRequirement, judge, limit, ours } from './requirement.js';
import type { Results } from './results.js';
import { type ServerId, serverTitle } from './servers.js';
import { workloads } from './workloads.js';

const MOST_SYSTEM_CALLS = 2.1;
const MOST_CALLS_PER_WAIT = 2;
const MOST_GARBAGE_BYTES = 16;
/** Garbage is required of this one, and reported of `ours`. */
const sparing: ServerId = 'epoll-no-context';

const growth = { few: 'echo-64', many: 'echo-10000', against: limit, atMost: 1.3 } as const;

/** A figure of every round; `null` where the server was not measured. */
export function roundsOf(results: Results, workload: string, server: ServerId, figure: Figure): number[] | null {
  const samples = results.samples[workload]?.[server];
  if (samples === undefined || samples.length === 0) return null;
  return samples.map((sample) => sample[figure]!);
}

/** What is judged, in terms of the peer's, in each round. */
export function ratios(
  results: Results,
  workload: string,
  against: ServerId,
  figure: Figure,
  judged = ours,
): number[] | null {
  const own = roundsOf(results, workload, judged, figure);
  const others = roundsOf(results, workload, against, figure);
  if (own === null || others === null) return null;
  return own.map((value, round) => value / others[round]!);
}

/** `byLimit`: what the limit reaches of the same; empty where that says nothing. */
export interface ConnectionsFinding extends Finding {
  readonly byLimit: string;
}

/** Every requirement, met or not. */
export function findings(results: Results): ConnectionsFinding[] {
  return [
    ...workloads.flatMap(({ id, title, requirements }) =>
      requirements.map((requirement) => {
        const { against, figure } = requirement;
        const byRound = ratios(results, id, against, figure);
        const ofLimit = against === limit ? null : ratios(results, id, against, figure, limit);
        return {
          id,
          title: `${title}; ${describeRequirement(requirement, serverTitle)}`,
          judgement: byRound === null ? null : judge(requirement, median(byRound)),
          byLimit: ofLimit === null ? '' : times(median(ofLimit)),
        };
      }),
    ),
    ...[growthFinding(results), ...evidenceFindings(results)].map((finding) => ({ ...finding, byLimit: '' })),
  ];
}

function growthFinding(results: Results): Finding {
  const own = growthOf(results, ours);
  const others = growthOf(results, growth.against);
  const figure = 'cpuMicroseconds';
  return {
    id: growth.many,
    title: `CPU time of a message, from 64 to 10,000 connections; growth in terms of that of ${serverTitle(growth.against)}`,
    judgement:
      own === null || others === null
        ? null
        : judge({ figure, against: growth.against, atMost: growth.atMost }, own / others),
  };
}

/** The works are measured one after the other: medians are compared, not rounds. */
function growthOf(results: Results, server: ServerId): number | null {
  const few = roundsOf(results, growth.few, server, 'cpuMicroseconds');
  const many = roundsOf(results, growth.many, server, 'cpuMicroseconds');
  return few === null || many === null ? null : median(many) / median(few);
}

function evidenceFindings({ evidence }: Results): Finding[] {
  const own = evidence?.counts[ours];
  const calls = own?.systemCalls ?? null;
  const callsPerWait = own?.callsPerWait ?? null;
  const garbage = evidence?.counts[sparing]?.garbageBytes ?? null;
  return [
    {
      id: 'evidence',
      title: 'System calls for each message at 64 connections',
      judgement: calls === null ? null : judgeLimit(sum(calls), MOST_SYSTEM_CALLS, '', 2),
    },
    {
      id: 'evidence',
      title: 'Calls between JavaScript and the addon for each wake-up, in both directions',
      judgement: callsPerWait === null ? null : judgeLimit(sum(callsPerWait), MOST_CALLS_PER_WAIT, '', 2),
    },
    {
      id: 'evidence',
      title: 'Garbage of each message, `asyncContext: false`',
      judgement: garbage === null ? null : judgeLimit(garbage, MOST_GARBAGE_BYTES, ' B'),
    },
  ];
}
