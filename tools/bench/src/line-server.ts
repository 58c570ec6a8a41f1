// A line server that loops over `bev.lines()` against the same one with handlers: `pnpm --filter bench line-server`, after
// a build.
import { parseArgs } from 'node:util';
import { lineHandlers, lineHandlersSingly, lineLoop, lineLoopOverArray } from './candidates.js';
import { compare } from './comparison.js';
import { benchmarksPage, rewriteSection } from './docs-section.js';
import { toMarkdown } from './markdown.js';
import { runDescription } from './run-description.js';
import { lines } from './workloads.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    'warm-ups': { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    /** Per round, where each connection has many lines under way; a tenth of it where it has one. */
    lines: { type: 'string', default: '1280000' },
    /** Writes the tables into docs/benchmarks.md. */
    write: { type: 'boolean', default: false },
    /** Ends with 1 when a requirement is missed. */
    check: { type: 'boolean', default: false },
  },
});

/** The least that the loop has to reach of what the handlers do, in lines a second and in lines a second of CPU time. */
const LEAST_RATIO = 0.8;

const connections = Number(values.connections);
const count = Number(values.lines);
const workloads = [
  lines(connections, count, 400, 40),
  lines(connections, count, 20, 40),
  lines(connections, count / 10, 1, 40),
];

const tables: string[] = [];
const missed: string[] = [];
for (const workload of workloads) {
  const comparison = await compare(
    workload,
    [lineLoop, lineLoopOverArray, lineHandlersSingly, lineHandlers],
    Number(values.rounds),
    Number(values['warm-ups']),
    (line) => void process.stderr.write(`${line}\n`),
  );
  const { rateRatio, cpuRatio } = comparison.measured[0]!;
  const perCpuSecond = 1 / cpuRatio;
  const holds = rateRatio >= LEAST_RATIO && perCpuSecond >= LEAST_RATIO;
  const finding =
    `lines a second: ${rateRatio.toFixed(2)}, lines a second of CPU time: ${perCpuSecond.toFixed(2)} ` +
    `of what the handlers do, required at least ${LEAST_RATIO}`;
  if (!holds) missed.push(`${workload.title}: ${finding}`);
  tables.push(toMarkdown(comparison), `${finding}: ${holds ? 'holds' : '**missed**'}.\n`);
}

const text = [runDescription(), '', ...tables].join('\n');
console.log(text);
if (values.write) rewriteSection(benchmarksPage, 'line-server', text);
if (values.check && missed.length > 0) {
  for (const line of missed) console.error(`missed: ${line}`);
  process.exitCode = 1;
}
