// Where the CPU time of an echo server goes: `pnpm --filter bench echo-profile [--workload bulk|messages] [--bare]`.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { barePipe, bareWrite, type Candidate, ours, oursWithoutAsyncContext, start } from './candidates.js';
import { type CpuProfile, selfTimes } from './cpu-profile.js';
import { bulk, messages } from './workloads.js';

const { values } = parseArgs({
  options: {
    workload: { type: 'string', default: 'messages' },
    /** The bare server instead of ours. */
    bare: { type: 'boolean', default: false },
    'no-async-context': { type: 'boolean', default: false },
    rows: { type: 'string', default: '30' },
  },
});

const isBulk = values.workload === 'bulk';
const workload = isBulk ? bulk(64, 4 * 2 ** 30) : messages(64, 512_000, 64);
const candidate: Candidate = values.bare
  ? isBulk
    ? barePipe
    : bareWrite
  : values['no-async-context']
    ? oursWithoutAsyncContext
    : ours;

const folder = mkdtempSync(join(tmpdir(), 'echo-profile-'));
try {
  const server = await start(candidate, ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=250']);
  const { rate, work } = await workload.run(server.target);
  await server.stop();
  const [file] = readdirSync(folder);
  if (file === undefined) throw new Error('the server left no profile');
  const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;

  console.log(`${candidate.name}: ${rate.toFixed(0)} ${workload.rateUnit} while profiled`);
  console.log(`${workload.cpuUnit.padStart(10)}  function`);
  for (const { name, microseconds } of selfTimes(profile).slice(0, Number(values.rows))) {
    console.log(`${(microseconds / work).toFixed(3).padStart(10)}  ${name}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
