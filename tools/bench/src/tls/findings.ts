import type { Finding } from '../findings.js';
import type { Judgement } from '../judgement.js';
import { median } from '../statistics.js';
import type { Results, Round } from './results.js';
import {
  churnId,
  churnTitles,
  churnWays,
  idle,
  judgeChurn,
  judgeIdle,
  judgeRatio,
  judgeRecords,
  type PeerId,
  peerTitles,
  type Requirement,
  records,
  type Work,
  works,
} from './works.js';

/** One in terms of another, in each round; `null` where one was not measured. */
export function ratios(results: Results, { id }: Work, judged: PeerId, against: PeerId): number[] | null {
  const own = results.rounds[id]?.[judged];
  const others = results.rounds[id]?.[against];
  if (own === undefined || others === undefined) return null;
  return own.map(({ perCpuSecond }, round) => perCpuSecond / others[round]!.perCpuSecond);
}

export function judgeRequirement(results: Results, work: Work, requirement: Requirement): Judgement | null {
  const byRound = ratios(results, work, requirement.judged, requirement.against);
  return byRound === null ? null : judgeRatio(median(byRound), requirement.atLeast);
}

/**
 * What TLS above node:net, read by events, can reach of node:tls at most, in MB a CPU second and by ratio: sockets as node:net has them and nothing
 * but what the loop in C takes to decrypt and to encrypt as much, both ends of which are in one process; `null` when one of them was not measured.
 */
export function limitOverNet({
  rounds,
}: Results): { readonly perCpuSecond: number; readonly ofNodeTls: number } | null {
  const { 'node-plain': sockets, node } = rounds['echo'] ?? {};
  const records = rounds['bulk-16384']?.['c-loop'];
  if (sockets === undefined || node === undefined || records === undefined) return null;
  const medianOf = (measured: readonly Round[]): number => median(measured.map(({ perCpuSecond }) => perCpuSecond));
  const perCpuSecond = 1 / (1 / medianOf(sockets) + 1 / medianOf(records));
  return { perCpuSecond, ofNodeTls: perCpuSecond / medianOf(node) };
}

/** What TLS adds to the memory of a connection; `null` when it was not measured. */
export function idleBytes({ idle: { plain, tls } }: Results): number | null {
  return plain === undefined || tls === undefined ? null : median(tls.map((bytes, round) => bytes - plain[round]!));
}

/** Every requirement, met or not. */
export function findings(results: Results): Finding[] {
  const ofIdle = idleBytes(results);
  const { once } = results.records;
  return [
    ...works.flatMap((work) =>
      work.requirements.map((requirement) => ({
        id: work.id,
        title: `${work.title}; ${peerTitles[requirement.judged]}, against ${peerTitles[requirement.against]}`,
        judgement: judgeRequirement(results, work, requirement),
      })),
    ),
    {
      id: records.id,
      title: `${records.title}, records for each 16 KiB`,
      judgement: once === undefined ? null : judgeRecords(once),
    },
    { id: idle.id, title: idle.title, judgement: ofIdle === null ? null : judgeIdle(ofIdle) },
    ...churnWays.map((way) => {
      const thirds = results.churn[way];
      return {
        id: churnId(way),
        title: `Connections that come and go, ${churnTitles[way]}`,
        judgement: thirds === undefined ? null : judgeChurn(thirds),
      };
    }),
  ];
}
