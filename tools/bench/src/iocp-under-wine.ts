// The echo server over completion ports against the same over node:net, both with Node for Windows under Wine:
// `pnpm --filter bench iocp-under-wine`, after a build. What Wine makes of it says nothing about Windows.
import { parseArgs } from 'node:util';
import { missingPrograms, WindowsEcho } from 'wine';
import { benchmarksPage, rewriteSection } from './docs-section.js';
import { check } from './findings.js';
import { times, verdict } from './judgement.js';
import { interleave } from './rounds.js';
import { runDescription } from './run-description.js';
import { median } from './statistics.js';
import { table } from './table.js';
import { messages, type Workload } from './workloads.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    /** Writes the table into docs/benchmarks.md. */
    write: { type: 'boolean', default: false },
    /** Ends with 1 when a requirement is missed. */
    check: { type: 'boolean', default: false },
  },
});
if (missingPrograms.length > 0) throw new Error(`${missingPrograms.join(' and ')} not found`);

/** How many times what `net` moves is required of `iocp`. */
const LEAST_RATIO = 1.2;
const LOOPBACK = '127.0.0.1';

const backends = ['iocp', 'net'] as const;
const works = [
  { id: 'echo-50-64', workload: messages(50, 10_000, 64) },
  { id: 'echo-4-64k', workload: messages(4, 3000, 65_536) },
];

const rounds = Number(values.rounds);
using windows = await WindowsEcho.open();
const ports: Record<(typeof backends)[number], number> = {
  iocp: await windows.serve('--backend', 'iocp'),
  net: await windows.serve('--backend', 'net'),
};

const findings = [];
const rows: string[][] = [];
for (const { id, workload } of works) {
  // Before anything counts, while V8 compiles.
  await measure(workload, 1);
  const [iocp = [], net = []] = await measure(workload, rounds);
  const ratios = iocp.map((rate, round) => rate / net[round]!);
  const ratio = median(ratios);
  const judgement = { reached: times(ratio), required: `at least ${times(LEAST_RATIO)}`, holds: ratio >= LEAST_RATIO };
  findings.push({ id, title: workload.title, judgement });
  const spread = `${times(Math.min(...ratios))} … ${times(Math.max(...ratios))}`;
  rows.push([workload.title, median(iocp).toFixed(0), median(net).toFixed(0), ...verdict(judgement), spread]);
}

const text = [
  `${runDescription()} Medians of ${rounds} interleaved rounds; the ratio is the median of the ratios within each round.`,
  'Wine says nothing about Windows: these figures are how fast Wine does what the two ask of it.',
  table(['', 'iocp, messages/s', 'net, messages/s', 'ratio', 'required', 'holds', 'least … most'], rows),
].join('\n\n');
console.log(text);
if (values.write) rewriteSection(benchmarksPage, 'iocp-under-wine', text);
if (values.check) check(findings);

function measure(workload: Workload, count: number): Promise<number[][]> {
  return interleave(backends, count, async (backend) => {
    const { rate } = await workload.run({ host: LOOPBACK, port: ports[backend] });
    process.stderr.write(`${workload.title}  ${backend}: ${rate.toFixed(0)} ${workload.rateUnit}\n`);
    return rate;
  });
}
