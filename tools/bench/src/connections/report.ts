import { summarise } from '../findings.js';
import { times, verdict } from '../judgement.js';
import { median } from '../statistics.js';
import { table } from '../table.js';
import { type Evidence, sum } from './evidence.js';
import { type Figure, figuresOf, figureTitles, show } from './figures.js';
import { type ConnectionsFinding, findings, ratios, roundsOf } from './findings.js';
import { type Part, partTitles } from './perf-profile.js';
import { limit, ours } from './requirement.js';
import type { Results } from './results.js';
import { type ServerId, servers, serverTitle } from './servers.js';
import { type Task, type Workload, workloads } from './workloads.js';

/** A run as Markdown. Only what was measured is in it. */
export function toMarkdown(results: Results): string {
  const all = findings(results);
  return [
    describe(results),
    ...results.run.leftOut.map((line) => `Left out: ${line}.`),
    summarise(all),
    ...requirementsTable(all),
    ...workloads.flatMap((workload) => workloadTable(results, workload)),
    ...(results.evidence === null ? [] : evidenceTables(results.evidence)),
  ].join('\n\n');
}

function describe({ run }: Results): string {
  return (
    `${run.date}, Node ${run.node}, ${run.machine}, \`${run.command}\`. Medians of ${run.rounds} interleaved rounds of ` +
    `${run.seconds} s after ${run.warmUpSeconds} s of warm-up, one way of ${run.mebibytes} MiB; ratios are those of ` +
    `${serverTitle(ours)} to the server of the row, medians of the ratios within each round (least … most).`
  );
}

function requirementsTable(all: readonly ConnectionsFinding[]): string[] {
  const rows = all.flatMap(({ title, judgement, byLimit }) =>
    judgement === null ? [] : [[title, ...verdict(judgement), byLimit]],
  );
  return rows.length === 0
    ? []
    : [table(['', 'reached', 'required', 'holds', `reached by ${serverTitle(limit)}`], rows)];
}

function workloadTable(results: Results, { id, title, task }: Workload): string[] {
  if (results.samples[id] === undefined) return [];
  const judged = task.does === 'share' ? 'workers-2' : ours;
  const [main, ...others] = figuresOf(task) as [Figure, ...Figure[]];
  const rows = servers.flatMap((server) => {
    const rounds = roundsOf(results, id, server.id, main);
    if (rounds === null) return [];
    return [
      [
        server.title,
        show(median(rounds)),
        spread(rounds, show),
        ratioTo(results, id, server.id, main, judged),
        ...others.map((figure) => show(median(roundsOf(results, id, server.id, figure)!))),
      ],
    ];
  });
  if (rows.length === 0) return [];
  const header = ['', figureTitles[main], 'least … most', 'ratio', ...others.map((figure) => figureTitles[figure])];
  return [`### ${title}`, ...howToRead(task), table(header, rows)];
}

function howToRead(task: Task): string[] {
  if (task.does === 'hold') return [];
  const unit = 'connections' in task ? 'message' : 'MB';
  const cpuTime = `CPU time of the server is that of each ${unit}`;
  if (task.does !== 'share') {
    return [`${cpuTime}. A server whose core is full is what limits its row; the load is, where its own is.`];
  }
  return [
    `${cpuTime}, of all its threads. Workers have no core to themselves: they and the load share two, and the system places them. ` +
      'So messages/s say how it divided these, and not what a second worker adds where there are more. What a second one costs shows in the CPU time ' +
      'of a message, and in the messages for each second of CPU time that server and load take together, as far as the placement was ' +
      'alike: between two threads on one core, a message costs the kernel less. Where server and load add up to about 100%, they had ' +
      `one core in common. Ratios are those of ${serverTitle('workers-2')} to the row.`,
  ];
}

function ratioTo(results: Results, workload: string, server: ServerId, figure: Figure, judged: ServerId): string {
  if (server === judged) return '';
  const byRound = ratios(results, workload, server, figure, judged);
  return byRound === null ? '' : `**${times(median(byRound))}** (${spread(byRound, times)})`;
}

function spread(rounds: readonly number[], shown: (value: number) => string): string {
  return `${shown(Math.min(...rounds))} … ${shown(Math.max(...rounds))}`;
}

function evidenceTables({ counts, traced, profiled }: Evidence): string[] {
  return [
    '### What one message takes: 64 connections, 64 B',
    table(
      [
        '',
        'messages counted',
        'garbage, bytes',
        'system calls',
        'of these',
        'calls across Node-API for each wait',
        'of these',
      ],
      (Object.keys(counts) as ServerId[]).map((id) => {
        const { messages, garbageBytes, systemCalls, callsPerWait } = counts[id]!;
        return [
          serverTitle(id),
          show(messages),
          garbageBytes === null ? 'V8 collected too soon' : show(garbageBytes),
          systemCalls === null ? '' : sum(systemCalls).toFixed(3),
          systemCalls === null ? '' : named(systemCalls),
          callsPerWait === null ? '' : sum(callsPerWait).toFixed(3),
          callsPerWait === null ? '' : named(callsPerWait, 0),
        ];
      }),
    ),
    ...(Object.keys(traced) as ServerId[]).map((id) => {
      const { messages, byPort, byStrace } = traced[id]!;
      return (
        `Under \`strace -c -f\`, ${serverTitle(id)}, ${show(messages)} messages: the port counts ` +
        `${sum(byPort).toFixed(3)} system calls for each (${named(byPort)}), strace ${sum(byStrace).toFixed(3)} ` +
        `(${named(byStrace)}).`
      );
    }),
    ...profileTable(profiled),
  ];
}

function profileTable(profiled: Evidence['profiled']): string[] {
  const parts = Object.keys(partTitles) as Part[];
  const rows = workloads.flatMap(({ id, title }) => {
    const times = profiled[id] ?? {};
    return (Object.keys(times) as ServerId[]).map((server) => {
      const { cpuMicroseconds, shares } = times[server]!;
      const cells = parts.map(
        (part) => `${show(cpuMicroseconds * shares[part])} (${(100 * shares[part]).toFixed(1)}%)`,
      );
      return [title, serverTitle(server), show(cpuMicroseconds), ...cells];
    });
  });
  if (rows.length === 0) return [];
  return [
    'Where the CPU time of a message goes, in µs, as `perf record -e cpu-clock` finds the server:',
    table(['', '', 'CPU, µs', ...parts.map((part) => partTitles[part])], rows, 2),
  ];
}

/** What is rarer than one in a thousand messages says nothing of system calls. */
function named(counts: Readonly<Record<string, number>>, least = 0.001): string {
  return Object.entries(counts)
    .filter(([, value]) => value >= least)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join(', ');
}
