// TLS against what stands for it elsewhere: `pnpm --filter bench tls`, after a build. Wants Linux, two cores and a quiet
// machine; without g++ or the headers of Node the loop in C is left out.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { unavailabilityReason } from 'bufferevent-openssl';
import { benchmarksPage, rewriteSection } from './docs-section.js';
import { check } from './findings.js';
import { describeMachine } from './run-description.js';
import { writeResults } from './tls/files.js';
import { findings } from './tls/findings.js';
import { measureAll } from './tls/measurement.js';
import { toMarkdown } from './tls/report.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    /** CPU time of each round, of what comes before each, and of what comes before the first one, when V8 compiles. */
    seconds: { type: 'string', default: '2' },
    'lead-in': { type: 'string', default: '1' },
    'warm-up': { type: 'string', default: '24' },
    'idle-rounds': { type: 'string', default: '3' },
    'idle-connections': { type: 'string', default: '10000' },
    'churn-connections': { type: 'string', default: '20000' },
    /** Measures only what has this in its id, as the log shows them. */
    only: { type: 'string', default: '' },
    /** Writes the raw numbers into this file. */
    json: { type: 'string' },
    /** Writes tables and raw numbers into docs/. */
    write: { type: 'boolean', default: false },
    /** Ends with 1 when a requirement is missed. */
    check: { type: 'boolean', default: false },
  },
});
if (values.write && values.only !== '') throw new Error('--write wants everything measured in one run');
const lacking = unavailabilityReason();
if (lacking !== null) throw new Error(lacking);

const words = process.argv.slice(2).join(' ');
const results = await measureAll({
  run: {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    openssl: process.versions.openssl,
    machine: describeMachine(),
    command: `pnpm --filter bench tls ${words}`.trim(),
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    warmUpSeconds: Number(values['warm-up']),
    leadInSeconds: Number(values['lead-in']),
    idleRounds: Number(values['idle-rounds']),
    idleConnections: Number(values['idle-connections']),
    churnConnections: Number(values['churn-connections']),
  },
  wanted: (id) => id.includes(values.only),
  log: (line) => void process.stderr.write(`${line}\n`),
});

const text = toMarkdown(results);
console.log(text);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results));
if (values.write) {
  writeResults(results);
  rewriteSection(benchmarksPage, 'tls', text);
}
// With --only, what was left out is not missed; what could not be measured is.
if (values.check) check(findings(results).filter(({ id }) => id.includes(values.only)));
