// evbuffer against libevent and what JavaScript has instead: `pnpm --filter bench evbuffer-vs-peers`, after a build.
import { parseArgs } from 'node:util';
import { benchmarksPage, rewriteSection } from './docs-section.js';
import { writeResults } from './evbuffer/files.js';
import { findings } from './evbuffer/findings.js';
import { measureAll } from './evbuffer/measurement.js';
import { toMarkdown } from './evbuffer/report.js';
import { check } from './findings.js';
import { describeMachine } from './run-description.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    /** Of the tables that compare evbuffer with itself. */
    'scale-rounds': { type: 'string', default: '5' },
    /** How much passes through a buffer while its memory is watched; `--full` means 20. */
    gibibytes: { type: 'string', default: '2' },
    full: { type: 'boolean', default: false },
    /** Measures only what has this in its id, as the log shows them. */
    only: { type: 'string', default: '' },
    /** Writes tables and raw numbers into docs/. */
    write: { type: 'boolean', default: false },
    /** Ends with 1 when a requirement is missed. */
    check: { type: 'boolean', default: false },
  },
});
if (values.write && values.only !== '') throw new Error('--write wants everything measured in one run');

const words = process.argv.slice(2).join(' ');
const results = await measureAll({
  run: {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    machine: describeMachine(),
    command: `pnpm --filter bench evbuffer-vs-peers ${words}`.trim(),
    rounds: Number(values.rounds),
    scaleRounds: Number(values['scale-rounds']),
    memoryGibibytes: values.full ? 20 : Number(values.gibibytes),
  },
  wanted: (id) => id.includes(values.only),
  log: (line) => void process.stderr.write(`${line}\n`),
});

const text = toMarkdown(results);
console.log(text);
if (values.write) {
  writeResults(results);
  rewriteSection(benchmarksPage, 'evbuffer-vs-peers', text);
}
// With --only, what was left out is not missed; what could not be measured is.
if (values.check) check(findings(results).filter(({ id }) => id.includes(values.only)));
