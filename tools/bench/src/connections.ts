// Servers on bufferevent against what they could be written with instead: `pnpm --filter bench connections`, after a build.
// Wants Linux, gcc, two cores and a quiet machine; what else is not installed is left out.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chartLinks, writeCharts, writeResults } from './connections/files.js';
import { findings } from './connections/findings.js';
import { measureAll } from './connections/measurement.js';
import { toMarkdown } from './connections/report.js';
import { benchmarksPage, rewriteSection } from './docs-section.js';
import { check } from './findings.js';
import { describeMachine } from './run-description.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    /** Of each round, after the warm-up. */
    seconds: { type: 'string', default: '5' },
    'warm-up': { type: 'string', default: '1' },
    /** Sent by one connection where bytes go one way. */
    mebibytes: { type: 'string', default: '1024' },
    /** Measures only what has this in its id, as the log shows them. */
    only: { type: 'string', default: '' },
    /** Only servers of these ids, with commas in between. */
    servers: { type: 'string' },
    /** Writes the raw numbers into this file. */
    json: { type: 'string' },
    /** Writes tables, raw numbers and charts into docs/. */
    write: { type: 'boolean', default: false },
    /** Ends with 1 when a requirement is missed. */
    check: { type: 'boolean', default: false },
  },
});
if (values.write && (values.only !== '' || values.servers !== undefined)) {
  throw new Error('--write wants everything measured in one run');
}

const wantedServers = values.servers?.split(',');
const words = process.argv.slice(2).join(' ');
const results = await measureAll({
  run: {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    machine: describeMachine(),
    command: `pnpm --filter bench connections ${words}`.trim(),
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    warmUpSeconds: Number(values['warm-up']),
    mebibytes: Number(values.mebibytes),
  },
  wanted: (id) => id.includes(values.only),
  wantedServer: (id) => wantedServers === undefined || wantedServers.includes(id),
  log: (line) => void process.stderr.write(`${line}\n`),
});

const text = toMarkdown(results);
console.log(text);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results));
if (values.write) {
  writeResults(results);
  writeCharts(results);
  rewriteSection(benchmarksPage, 'connections', `${chartLinks}\n\n${text}`);
}
// With --only, what was left out is not missed; what could not be measured is.
if (values.check) check(findings(results).filter(({ id }) => id.includes(values.only)));
