// main.ts [--node 20|22] [--repeat N] [--everyday | --often] [FILE …]: the suites of suites.ts under Wine, or those in the files
// named (`packages/bufferevent-net/test/compliance-node.ts`), with one Node for Windows or all of them. Of suites that are
// repeated only those speak that fail; each round ends with a line that sums it up.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { failuresIn, faultOf, passedIn } from './outcome.js';
import { Prefix } from './prefix.js';
import { missingPrograms } from './programs.js';
import { Staging } from './staging.js';
import { type Suite, suites } from './suites.js';
import { lackingSurroundings } from './surroundings.js';
import { keepFailures, runSuite } from './test-run.js';
import { NODE_VERSIONS, type NodeMajor } from './windows-node.js';
import { workspacePackages } from './workspace-packages.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'string', multiple: true },
    repeat: { type: 'string', default: '1' },
    everyday: { type: 'boolean', default: false },
    often: { type: 'boolean', default: false },
  },
});

if (missingPrograms.length > 0) {
  console.error(
    `${missingPrograms.join(' and ')} not found (Debian: apt-get install --no-install-recommends wine64 g++-mingw-w64-x86-64-posix)`,
  );
  process.exit(1);
}

const majors = (values.node ?? Object.keys(NODE_VERSIONS)).map((major) => {
  if (!(major in NODE_VERSIONS)) throw new RangeError(`--node takes ${Object.keys(NODE_VERSIONS).join(' or ')}`);
  return Number(major) as NodeMajor;
});
const rounds = Number(values.repeat);
const chosen = (
  positionals.length === 0
    ? suites.filter(({ nightly, often }) => !(values.everyday && nightly) && (often || !values.often))
    : positionals.map((file) => suiteOf(resolve(file)))
).filter(canRun);

function suiteOf(path: string): Suite {
  for (const [name, folder] of workspacePackages) {
    if (!path.startsWith(`${folder}/`)) continue;
    const file = path.slice(folder.length + 1).replace(/\.ts$/, '.js');
    return (
      suites.find((suite) => suite.package === name && suite.file === file) ?? { package: name, file, limitMinutes: 10 }
    );
  }
  throw new Error(`${path} belongs to no package of the workspace`);
}

function canRun(suite: Suite): boolean {
  const lacking = suite.surroundings === undefined ? null : lackingSurroundings(suite.surroundings);
  if (lacking !== null) console.log(`skipped: ${suite.package} ${suite.file}: ${suite.surroundings}: ${lacking}`);
  return lacking === null;
}

const prefix = await Prefix.take();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    prefix[Symbol.dispose]();
    process.exit(1);
  });
}

/** Runs all that was chosen once. Returns a line for each run that has failed. */
async function runRound(staging: Staging, round: number): Promise<string[]> {
  const logName = rounds === 1 ? '' : `-round${round}`;
  const failures: string[] = [];
  for (const major of majors) {
    for (const suite of chosen) {
      const { code, seconds, log, output } = await runSuite(prefix, staging, suite, major, logName);
      const name = `${suite.package} ${suite.file} under Node ${NODE_VERSIONS[major]} for Windows`;
      const fault = faultOf(code, output);
      const how = `${fault ?? `${passedIn(output)} passed`}, ${seconds.toFixed(1)} s, ${log}`;
      if (fault !== null) failures.push(`${name}: ${how}\n${failuresIn(output)}`);
      if (fault !== null || rounds === 1) console.log(`${output}\n${name}: ${how}\n`);
    }
  }
  return failures;
}

try {
  const staging = new Staging(prefix.scratch);
  const failures: string[] = [];
  const runsOfRound = majors.length * chosen.length;
  for (let round = 1; round <= rounds; round++) {
    const startedMs = performance.now();
    const failed = await runRound(staging, round);
    failures.push(...failed);
    if (rounds === 1) continue;
    const seconds = (performance.now() - startedMs) / 1000;
    const ok = runsOfRound - failed.length;
    console.log(`round ${round} of ${rounds}: ${ok} of ${runsOfRound} runs ok, ${seconds.toFixed(1)} s`);
  }
  for (const failure of failures) console.error(failure);
  keepFailures(failures);
  const runs = rounds * runsOfRound;
  console.log(`under Wine: ${runs - failures.length} of ${runs} runs ok`);
  if (failures.length > 0) process.exitCode = 1;
} finally {
  prefix[Symbol.dispose]();
}
