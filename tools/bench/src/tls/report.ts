import { summarise } from '../findings.js';
import { times, verdict } from '../judgement.js';
import { median } from '../statistics.js';
import { table } from '../table.js';
import { findings, idleBytes, judgeRequirement, limitOverNet, ratios } from './findings.js';
import type { Results, Round } from './results.js';
import {
  churnTitles,
  churnWays,
  idle,
  judgeChurn,
  judgedOf,
  judgeIdle,
  judgeRecords,
  type PeerId,
  peerTitles,
  type RecordsHow,
  records,
  type Work,
  works,
} from './works.js';

/** A run as Markdown: what was missed first, then every table. Only what was measured is in it. */
export function toMarkdown(results: Results): string {
  return [
    describe(results),
    ...results.run.leftOut.map((line) => `Left out: ${line}.`),
    summarise(findings(results)),
    ...works.flatMap((work) => workTable(results, work)),
    ...recordsTable(results),
    ...idleTable(results),
    ...churnTable(results),
  ].join('\n\n');
}

function describe({ run }: Results): string {
  return (
    `${run.date}, Node ${run.node} with OpenSSL ${run.openssl}, ${run.machine}, \`${run.command}\`. Medians of ` +
    `${run.rounds} interleaved rounds of ${run.seconds} s of CPU time, each after ${run.leadInSeconds} s that do not count, and all ` +
    `after ${run.warmUpSeconds} s of warm-up; ratios are medians of the ratios within each round (least … most).`
  );
}

function workTable(results: Results, work: Work): string[] {
  const measured = results.rounds[work.id];
  if (measured === undefined) return [];
  const isEcho = work.task.does === 'echo';
  const rows = work.peers.flatMap((peer) => {
    const rounds = measured[peer];
    if (rounds === undefined) return [];
    const rates = rounds.map(({ perCpuSecond }) => perCpuSecond);
    return [[peerTitles[peer], show(median(rates)), spread(rates, show), ...(isEcho ? cores(rounds) : [])]];
  });
  const header = ['', work.unit, 'least … most', ...(isEcho ? ['server, % of a core', 'load, % of a core'] : [])];
  return [
    `### ${work.title}`,
    table(header, rows),
    ...ratiosTable(results, work),
    ...(isEcho ? limitOfNet(results) : []),
  ];
}

function limitOfNet(results: Results): string[] {
  const limit = limitOverNet(results);
  if (limit === null) return [];
  return [
    `What node:net takes without TLS, and the loop in C to decrypt and encrypt as much, come to ${show(limit.perCpuSecond)} MB a CPU ` +
      `second together, ${times(limit.ofNodeTls)} of node:tls. TLS above node:net that is read by events can hardly do better.`,
  ];
}

function cores(rounds: readonly Round[]): string[] {
  return [
    median(rounds.map(({ serverPercent }) => serverPercent!)).toFixed(0),
    median(rounds.map(({ loadPercent }) => loadPercent!)).toFixed(0),
  ];
}

/** Every requirement, and how the first of the table does against those of which nothing is required. */
function ratiosTable(results: Results, work: Work): string[] {
  const judged = judgedOf(work);
  const others = work.peers.filter(
    (peer) => peer !== judged && !work.requirements.some((one) => one.against === peer || one.judged === peer),
  );
  const rows = [
    ...work.requirements.flatMap((requirement) => {
      const judgement = judgeRequirement(results, work, requirement);
      if (judgement === null) return [];
      const { judged: own, against } = requirement;
      const [reached, ...rest] = verdict(judgement);
      const ratio = `${reached} ${range(results, work, own, against)}`;
      return [[comparison(own, against), ratio, ...rest, reachedByLimit(results, work, against)]];
    }),
    ...others.flatMap((peer) => {
      const byRound = ratios(results, work, judged, peer);
      if (byRound === null) return [];
      const reached = `${times(median(byRound))} ${range(results, work, judged, peer)}`;
      return [[comparison(judged, peer), reached, '', '', reachedByLimit(results, work, peer)]];
    }),
  ];
  if (rows.length === 0) return [];
  const header = ['', 'ratio', 'required', 'holds', `reached by ${peerTitles[limit]}`];
  // Not every work has that limit.
  const columns = work.peers.includes(limit) ? header.length : header.length - 1;
  return [
    table(
      header.slice(0, columns),
      rows.map((row) => row.slice(0, columns)),
    ),
  ];
}

/** What nothing stands around, and what therefore nothing that does the same can reach more than. */
const limit: PeerId = 'c-loop';

function reachedByLimit(results: Results, work: Work, against: PeerId): string {
  const byRound = against === limit ? null : ratios(results, work, limit, against);
  return byRound === null ? '' : times(median(byRound));
}

function comparison(judged: PeerId, against: PeerId): string {
  return `${peerTitles[judged]}, against ${peerTitles[against]}`;
}

function range(results: Results, work: Work, judged: PeerId, against: PeerId): string {
  return `(${spread(ratios(results, work, judged, against) ?? [], times)})`;
}

const recordsTitles: Readonly<Record<RecordsHow, string>> = {
  once: 'all at once',
  welcome: 'as long as `write()` says that more is welcome, then again when the output is empty',
};

function recordsTable({ records: measured }: Results): string[] {
  const rows = (['once', 'welcome'] as const).flatMap((how) => {
    const count = measured[how];
    if (count === undefined) return [];
    const [reached = '', ...rest] = verdict(judgeRecords(count));
    return [[recordsTitles[how], String(count), reached, ...(how === 'once' ? rest : ['', ''])]];
  });
  if (rows.length === 0) return [];
  return [`### ${records.title}`, table(['', 'records', 'for each 16 KiB', 'required', 'holds'], rows)];
}

function idleTable(results: Results): string[] {
  const bytes = idleBytes(results);
  if (bytes === null) return [];
  const { plain = [], tls = [], 'node-plain': nodePlain = [], 'node-tls': nodeTls = [] } = results.idle;
  const nodeBytes = median(nodeTls.map((one, round) => one - nodePlain[round]!));
  const { idleConnections, idleRounds } = results.run;
  const { heldBytes } = results;
  return [
    '### An idle connection',
    `Resident bytes of the server for each of ${show(idleConnections)} connections that have echoed one message, medians of ${idleRounds} rounds.`,
    table(
      ['', 'plain', 'with TLS', 'difference', 'required', 'holds'],
      [
        [idle.title, show(median(plain)), show(median(tls)), ...verdict(judgeIdle(bytes))],
        ['node:net and node:tls', show(median(nodePlain)), show(median(nodeTls)), `${nodeBytes.toFixed(0)} B`, '', ''],
      ],
    ),
    ...(heldBytes === null
      ? []
      : [
          `OpenSSL itself has allocated ${show(heldBytes)} B for the server's end of such a connection, as the loop in C holds it ` +
            '(`SSL_MODE_RELEASE_BUFFERS`, no buffers in use).',
        ]),
  ];
}

function churnTable({ churn, run }: Results): string[] {
  const rows = churnWays.flatMap((way) => {
    const thirds = churn[way];
    if (thirds === undefined) return [];
    const sizes = [thirds.first, thirds.middle, thirds.last].map((mib) => mib.toFixed(1));
    return [[churnTitles[way], ...sizes, ...verdict(judgeChurn(thirds))]];
  });
  if (rows.length === 0) return [];
  return [
    `### ${show(run.churnConnections)} connections opened, used, ended and freed`,
    'Both ends in one process. The median of 33 samples of resident memory in each third of the run, in MiB.',
    table(['', 'first', 'middle', 'last', 'last to middle', 'required', 'holds'], rows),
  ];
}

function spread(values: readonly number[], shown: (value: number) => string): string {
  return `${shown(Math.min(...values))} … ${shown(Math.max(...values))}`;
}

function show(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}
