// Our echo server on bufferevent-net against bare node:net: `pnpm --filter bench echo-vs-net`. Wants a quiet machine.
import { parseArgs } from 'node:util';
import { barePipe, bareWrite, ours, oursWithoutAsyncContext } from './candidates.js';
import { compare } from './comparison.js';
import { benchmarksPage, rewriteSection } from './docs-section.js';
import { toMarkdown } from './markdown.js';
import { runDescription } from './run-description.js';
import { bulk, messages } from './workloads.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    'warm-ups': { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    /** Per bulk round. */
    mebibytes: { type: 'string', default: '512' },
    /** Per round of messages. */
    messages: { type: 'string', default: '128000' },
    /** `bulk`, `messages` or both. */
    only: { type: 'string' },
    /** Writes the tables into docs/benchmarks.md. */
    write: { type: 'boolean', default: false },
  },
});

const log = (line: string): void => void process.stderr.write(`${line}\n`);
const rounds = Number(values.rounds);
const warmUps = Number(values['warm-ups']);
const connections = Number(values.connections);
const ourServers = [ours, oursWithoutAsyncContext];

const tables: string[] = [];
if (values.only !== 'messages') {
  const workload = bulk(connections, Number(values.mebibytes) * 2 ** 20);
  tables.push(toMarkdown(await compare(workload, [...ourServers, barePipe], rounds, warmUps, log)));
}
if (values.only !== 'bulk') {
  const workload = messages(connections, Number(values.messages), 64);
  tables.push(toMarkdown(await compare(workload, [...ourServers, bareWrite], rounds, warmUps, log)));
}

const text = [runDescription(), '', tables.join('\n')].join('\n');
console.log(text);
if (values.write) rewriteSection(benchmarksPage, 'echo-vs-net', text);
