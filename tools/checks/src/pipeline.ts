// The stages of `npm test`: `pipeline.ts [--nightly] [--asan] [stage…]`. All stages without a name, in this order, the one
// with sanitizers only with `--asan` or `--nightly`; the first that fails ends the run. The last line of a run that reached the tests is `N passed, N failed`.
import { parseArgs } from 'node:util';
import { checkAddonBinary, packagesWithAddon } from './addon-binary.js';
import { checkArm64 } from './arm64.js';
import { checkWithClang } from './clang.js';
import { checkDocsCode } from './docs-code.js';
import { checkDocsLinks } from './docs-links.js';
import { checkErrorCodes } from './error-codes.js';
import { checkNodeVersions } from './openssl-scenes.js';
import { checkRuleCitations } from './rule-citations.js';
import { collectTestReports, foldersWithReports, removeTestReports, type TestTotals } from './test-reports.js';
import { hasTools } from './tools.js';
import { checkUnderWine } from './under-wine.js';
import { checkWin32Binary, WIN32_TOOLS } from './win32-binary.js';
import { build, packageFolders, root, run } from './workspace.js';

const { values: flags, positionals: wanted } = parseArgs({
  options: { asan: { type: 'boolean', default: false }, nightly: { type: 'boolean', default: false } },
  allowPositionals: true,
});

// The long variants; also read by the tests themselves.
if (flags.nightly) Object.assign(process.env, { NIGHTLY: '1', MODEL_OPERATIONS: '1000000' });
const selfTestSize = flags.nightly ? { connections: 64, mebibytes: 256 } : { connections: 8, mebibytes: 32 };

let totals: TestTotals | undefined;

/** Tests that pass again are counted once. */
function addTotals(before: TestTotals | undefined, again: TestTotals): TestTotals {
  if (before === undefined) return again;
  const failures = [...before.failures, ...again.failures];
  return { passed: before.passed, failed: failures.length, failures };
}

const turbo = (...words: string[]): Promise<void> => run('turbo', ['run', ...words]);

const stages: Record<string, () => void | Promise<void>> = {
  build,
  typecheck: () => turbo('typecheck', '--output-logs=errors-only', '--continue=always'),
  lint: async () => {
    await run('biome', ['ci', '--error-on-warnings', '.']);
    await run('sherif', ['--fail-on-warnings', '--ignore-rule', 'packages-without-package-json']);
    await run('knip', ['--no-progress', '--no-config-hints']);
  },
  architecture: () =>
    run('depcruise', ['packages', 'apps', 'examples', 'tools', 'tests', '--config', '.dependency-cruiser.cjs']),
  'rule-citations': () => checkRuleCitations(root),
  'error-codes': () => checkErrorCodes(root),
  // Imports what the first stage has built.
  'ring-header': async () => (await import('./ring-header.js')).checkRingHeader(root),
  'addon-binary': async () => {
    if (process.platform !== 'linux') return console.log('skipped: the binary in the tarball is for Linux');
    if (!hasTools('the binary in the tarball', ['objdump', 'strip', 'g++', 'make', 'python3'])) return;
    const names = packagesWithAddon(root, 'linux');
    await Promise.all(names.map((name) => run(process.execPath, ['tools/addons/prebuild.mjs', name])));
    for (const name of names) checkAddonBinary(root, name, process.arch, 'objdump');
  },
  'win32-binary': async () => {
    if (!hasTools('the binaries for Windows', WIN32_TOOLS)) return;
    const names = packagesWithAddon(root, 'win32');
    await Promise.all(names.map((name) => run('tsx', ['tools/addons/prebuild-win32.ts', name])));
    for (const name of names) checkWin32Binary(root, name);
  },
  clang: checkWithClang,
  'docs-code': () => checkDocsCode(root),
  'docs-links': () => checkDocsLinks(root),
  unit: async () => {
    removeTestReports(root, packageFolders());
    try {
      // One package at a time: some tests want the machine to themselves (vitest.config.ts).
      await run('turbo', ['run', 'test', '--concurrency=1', '--continue=always'], { TEST_REPORT: '1' });
    } finally {
      totals = collectTestReports(root, packageFolders());
    }
  },
  ...(flags.nightly ? { arm64: checkArm64, 'node-versions': checkNodeVersions } : {}),
  'node-test': () => turbo('test:node', '--concurrency=2'),
  wine: () => checkUnderWine(flags.nightly),
  'self-test': async () => {
    const size = ['--connections', `${selfTestSize.connections}`, '--bytes', `${selfTestSize.mebibytes * 2 ** 20}`];
    await run(process.execPath, ['apps/echo/dist/main.js', 'self-test', ...size]);
    const lacking = (await import('bufferevent-openssl')).unavailabilityReason();
    if (lacking === null) await run(process.execPath, ['apps/echo/dist/main.js', 'self-test', '--tls', ...size]);
    else if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(lacking);
    else console.log(`skipped: the self-test over TLS: ${lacking}`);
  },
  asan: async () => {
    removeTestReports(root, packageFolders());
    try {
      // One package at a time, as above.
      await run('turbo', ['run', 'test:asan', '--concurrency=1', '--continue=always'], { TEST_REPORT: '1' });
    } finally {
      totals = addTotals(totals, collectTestReports(root, foldersWithReports(root, packageFolders())));
    }
  },
};

const unknown = wanted.filter((name) => !(name in stages));
if (unknown.length > 0) {
  console.error(`unknown stage ${unknown.join(', ')}; there are ${Object.keys(stages).join(', ')}`);
  process.exit(2);
}

const summary: string[] = [];
let stageFailure: string | undefined;
for (const [name, stage] of Object.entries(stages)) {
  const isWanted = wanted.length > 0 ? wanted.includes(name) : name !== 'asan' || flags.asan || flags.nightly;
  if (!isWanted) continue;
  console.log(`\n── ${name}`);
  const startedMs = performance.now();
  let failure: unknown;
  try {
    await stage();
  } catch (error) {
    failure = error;
    process.exitCode = 1;
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const took = `${seconds.toFixed(1)} s (${(seconds / 60).toFixed(2)} min)`;
  summary.push(`${failure === undefined ? 'ok    ' : 'FAILED'} ${name.padEnd(14)} ${took}`);
  console.log(`── ${name}: ${took}`);
  if (failure !== undefined) {
    stageFailure = `\nstage ${name} failed: ${failure instanceof Error ? failure.message : failure}`;
    break;
  }
}

if (summary.length > 1) console.log(`\n${summary.join('\n')}`);
// At the end, which is what people are shown.
if (stageFailure !== undefined) console.error(stageFailure);
if (totals !== undefined) {
  for (const failure of totals.failures) console.log(`\n${failure}`);
  // A run that failed without a failing test (a crash, a leak found at exit) is not "0 failed".
  const failed = process.exitCode === 1 ? Math.max(totals.failed, 1) : totals.failed;
  console.log(`\n${totals.passed} passed, ${failed} failed`);
}
