// matrix.ts [--bytes N] [--peer TEXT] [--against node:tls]: tries every peer that is installed, and writes the table into
// docs/interop.md unless only some were tried, or ours was not.
import { parseArgs } from 'node:util';
import { createCredentials } from './credentials.js';
import { nodeInOurPlace } from './local-node.js';
import { ours } from './local-ours.js';
import { peers } from './peers/index.js';
import { type Findings, writeTable } from './table.js';
import { obstacle, rowsOf, run, trials } from './trials.js';
import { isPeerUsable } from './usable.js';

const { values } = parseArgs({
  options: {
    bytes: { type: 'string', default: `${64 * 2 ** 20}` },
    peer: { type: 'string', default: '' },
    against: { type: 'string', default: ours.name },
  },
});
const bytes = Number(values.bytes);
const local = values.against === ours.name ? ours : nodeInOurPlace;
const findings: Findings = [];
using credentials = await createCredentials();
for (const peer of peers
  .filter(({ name, library }) => `${name} ${library}`.includes(values.peer))
  .filter(isPeerUsable)) {
  for (const row of rowsOf(peer)) {
    const failures = new Map<string, string>();
    for (const trial of trials.filter((feature) => obstacle(row, feature) === null)) {
      const startedMs = performance.now();
      const failure = await run(local, row, trial, bytes, credentials).then(() => null, String);
      if (failure !== null) failures.set(trial, failure);
      const tookMs = Math.round(performance.now() - startedMs);
      console.log(`${peer.name} as ${row.role}, ${row.version}, ${trial}: ${failure ?? 'ok'} (${tookMs} ms)`);
    }
    findings.push({ row, failures });
  }
}
const failed = findings.filter(({ failures }) => failures.size > 0).length;
console.log(`${findings.length} rows, ${failed} with failures`);
if (failed > 0) process.exitCode = 1;
else if (values.peer === '' && local === ours) writeTable(findings, bytes);
