import { summarise } from '../findings.js';
import { type Judgement, judgeLimit, times, verdict } from '../judgement.js';
import { median } from '../statistics.js';
import { table } from '../table.js';
import { findings, judgeScale, memoryGrowth, timeRatio } from './findings.js';
import { GARBAGE_LIMIT_BYTES } from './garbage.js';
import { garbageWorks } from './measurement.js';
import { MEMORY_LIMIT_MIB, memoryWorks } from './memory.js';
import { judge } from './requirement.js';
import type { Results, RoundsByState } from './results.js';
import { type Scale, scales } from './scale.js';
import { type PeerName, peerTitles, type Work, works } from './works.js';

/** A run as Markdown: the lost requirements first, then every table. Only what was measured is in it. */
export function toMarkdown(results: Results): string {
  return [
    describe(results),
    summarise(findings(results)),
    ...works.flatMap((work) => timesTable(results, work)),
    ...scaleTable(
      results,
      scales.filter(({ id }) => id.startsWith('scale-bytes-')),
      'Cost by bytes queued',
    ),
    ...scaleTable(
      results,
      scales.filter(({ id }) => id.startsWith('scale-chunks-')),
      'Cost by chunks queued',
    ),
    ...scaleTable(
      results,
      scales.filter(({ id }) => id === 'move'),
      'Cost of moving a chain, by its chunks',
    ),
    ...garbageTable(results),
    ...memoryTable(results),
    ...sizeTable(results),
  ].join('\n\n');
}

function describe({ run }: Results): string {
  const missing = run.libeventMissing === null ? '' : ' libevent could not be built there and is missing.';
  return (
    `${run.date}, Node ${run.node}, ${run.machine}, \`${run.command}\`. CPU time, medians of ${run.rounds} interleaved ` +
    `rounds; ratios are medians of the ratios within each round.${missing}`
  );
}

function timesTable(results: Results, { id, title, unit, peers, requirements }: Work): string[] {
  const measured = results.times[id];
  if (measured === undefined) return [];
  const rows = peers.flatMap((peer) => {
    const rounds = measured[peer];
    if (rounds === undefined) return [];
    const ratio = timeRatio(results, id, peer);
    const requirement = requirements.find((one) => one.peer === peer);
    const judgement = requirement === undefined || ratio === null ? null : judge(requirement, ratio);
    return [[peerTitles[peer], ns(median(rounds)), spread(rounds), ...comparison(peer, ratio, judgement)]];
  });
  return [`### ${title}`, table(['', unit, 'least … most', 'evbuffer', 'required', 'holds'], rows)];
}

function comparison(peer: PeerName, ratio: number | null, judgement: Judgement | null): string[] {
  if (peer === 'evbuffer' || ratio === null) return ['', '', ''];
  if (judgement !== null) return verdict(judgement);
  return [ratio < 1 ? `${times(1 / ratio)} as fast` : `${times(ratio)} its time`, '', ''];
}

function scaleTable(results: Results, group: readonly Scale[], title: string): string[] {
  const measured = group.filter(({ id }) => results.scales[id] !== undefined);
  const [first] = measured;
  if (first === undefined) return [];
  const labels = first.states.map(({ label }) => label);
  const rows = measured.flatMap((scale) => {
    const ofLibevent = results.libeventScales[scale.id];
    const judgement = judgeScale(results, scale);
    return [
      [scale.title, ...medians(results.scales[scale.id]!), ...(judgement === null ? ['', '', ''] : verdict(judgement))],
      ...(ofLibevent === undefined ? [] : [['the same, libevent in C', ...medians(ofLibevent), '', '', '']]),
    ];
  });
  return [
    `### ${title}`,
    `ns an operation, medians of ${results.run.scaleRounds} rounds; the ratio is that of the dearest fuller queue to the first column.`,
    table(['', ...labels, 'ratio', 'required', 'holds'], rows),
  ];
}

function medians(byState: RoundsByState): string[] {
  return byState.map((rounds) => ns(median(rounds)));
}

function garbageTable(results: Results): string[] {
  const rows = garbageWorks.flatMap((id) => {
    const title = works.find((work) => work.id === id)?.title ?? id;
    return Object.entries(results.garbage[id] ?? {}).map(([peer, bytes]) => [
      title,
      peerTitles[peer as PeerName],
      ...(peer === 'evbuffer'
        ? verdict(judgeLimit(bytes, GARBAGE_LIMIT_BYTES, ' B'))
        : [`${bytes.toFixed(1)} B`, '', '']),
    ]);
  });
  if (rows.length === 0) return [];
  return ['### Garbage of an operation in steady state', table(['', '', 'bytes', 'required', 'holds'], rows, 2)];
}

function memoryTable(results: Results): string[] {
  const rows = memoryWorks.flatMap(({ id, title }) => {
    const thirds = results.memory[id];
    if (thirds === undefined) return [];
    const judgement = judgeLimit(memoryGrowth(thirds), MEMORY_LIMIT_MIB, ' MiB');
    const [first, middle, last] = [thirds.first, thirds.middle, thirds.last].map((mib) => mib.toFixed(1));
    return [[title, `${first}`, `${middle}`, `${last}`, ...verdict(judgement)]];
  });
  if (rows.length === 0) return [];
  return [
    `### Resident memory while ${results.run.memoryGibibytes} GiB pass through a buffer that holds 1 MiB`,
    'The highest of 33 samples in each third of the run, in MiB.',
    table(['', 'first', 'middle', 'last', 'growth', 'required', 'holds'], rows),
  ];
}

function sizeTable(results: Results): string[] {
  const finding = findings(results).find(({ id }) => id === 'size');
  if (results.size === null || finding?.judgement == null) return [];
  return [
    '### Size of the main entry in a bundle',
    table(
      ['', 'minified', 'minified and compressed (gzip)', 'required', 'holds'],
      [['evbuffer', `${results.size.minified} B`, ...verdict(finding.judgement)]],
    ),
  ];
}

function spread(rounds: readonly number[]): string {
  return `${ns(Math.min(...rounds))} … ${ns(Math.max(...rounds))}`;
}

function ns(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}
