import type { Comparison, Measured } from './comparison.js';

/** A comparison as a heading and a table. */
export function toMarkdown({ workload, rounds, measured }: Comparison): string {
  const reference = measured.at(-1)!;
  const header = [
    'server',
    workload.rateUnit,
    'ratio (least … most)',
    `server CPU, ${workload.cpuUnit}`,
    'ratio',
    'peak memory',
  ];
  return [
    `### ${workload.title}`,
    '',
    `Medians of ${rounds} interleaved rounds; ratios to the last row are medians of the ratios within each round.`,
    '',
    `| ${header.join(' | ')} |`,
    '|---|--:|--:|--:|--:|--:|',
    ...measured.map((row) => `| ${cells(row, row === reference).join(' | ')} |`),
    '',
  ].join('\n');
}

function cells(row: Measured, isReference: boolean): string[] {
  const [least, most] = row.rateRatioRange.map((ratio) => ratio.toFixed(2));
  return [
    row.candidate.name,
    row.rate.toFixed(0),
    isReference ? '1' : `**${row.rateRatio.toFixed(2)}** (${least} … ${most})`,
    row.cpuMicroseconds.toFixed(2),
    isReference ? '1' : row.cpuRatio.toFixed(2),
    `${(row.maxRssBytes / 2 ** 20).toFixed(0)} MiB`,
  ];
}
