// Time-outs that progress moves, ours against Node's own: `pnpm --filter bench timers`, after a build.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchmarksPage, rewriteSection } from './docs-section.js';
import { runDescription } from './run-description.js';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '100000' },
    /** How often each connection makes progress. */
    progress: { type: 'string', default: '200' },
    /** Writes the table into docs/benchmarks.md. */
    write: { type: 'boolean', default: false },
    /** Ends with 1 when the requirement is missed. */
    check: { type: 'boolean', default: false },
  },
});

type Holder = 'bufferevent' | 'node';

/** CPU time in nanoseconds. */
interface Cost {
  readonly armNs: number;
  readonly progressNs: number;
}

const script = fileURLToPath(new URL('../servers/timers.mjs', import.meta.url));
const execArgv = ['--expose-gc', '--max-old-space-size=4096', '--max-semi-space-size=64'];
const patienceMs = 120_000;

async function measure(holder: Holder): Promise<Cost> {
  const child = fork(script, [holder, values.connections, values.progress], { execArgv });
  try {
    const [cost] = await once(child, 'message', { signal: AbortSignal.timeout(patienceMs) });
    return cost as Cost;
  } finally {
    child.kill('SIGKILL');
  }
}

const rounds: Record<Holder, Cost>[] = [];
for (let round = 1; round <= Number(values.rounds); round++) {
  const node = await measure('node');
  const bufferevent = await measure('bufferevent');
  rounds.push({ node, bufferevent });
  process.stderr.write(`round ${round}  ${JSON.stringify({ bufferevent, node })}\n`);
}

const total = ({ armNs, progressNs }: Cost): number => armNs + progressNs * Number(values.progress);
const figures: readonly (readonly [string, (cost: Cost) => number])[] = [
  ['arming one', ({ armNs }) => armNs],
  ['one progress', ({ progressNs }) => progressNs],
  [`arming one and ${values.progress} times progress`, total],
];
const rows = figures.map(([title, figure]) => {
  const of = (holder: Holder): number => median(rounds.map((round) => figure(round[holder])));
  const ratio = median(rounds.map((round) => figure(round.bufferevent) / figure(round.node)));
  return { title, ours: of('bufferevent'), node: of('node'), ratio };
});
const { ratio } = rows.at(-1)!;
const holds = ratio < 1;

const text = [
  runDescription(),
  '',
  `${values.connections} connections with one time-out each; CPU time, medians of ${values.rounds} rounds; ratios are medians of the ratios within each round.`,
  '',
  '| | bufferevent, ns | `socket.setTimeout`, ns | ratio | required | holds |',
  '|---|--:|--:|--:|--:|--:|',
  ...rows.map(({ title, ours, node, ratio: quotient }, index) => {
    const judged = index === rows.length - 1;
    return `| ${title} | ${ours.toFixed(0)} | ${node.toFixed(0)} | ${quotient.toFixed(2)} | ${judged ? 'below 1' : ''} | ${judged ? (holds ? 'yes' : '**no**') : ''} |`;
  }),
].join('\n');
console.log(text);
if (values.write) rewriteSection(benchmarksPage, 'timers', text);
if (values.check && !holds) {
  console.error(`missed: time-outs cost ${ratio.toFixed(2)} of what Node's cost, required below 1`);
  process.exitCode = 1;
}
