// Runs the tests of this package and of those that stand on it over the sanitized addon, in vitest's processes and in every
// process that these start: all of them for wrong uses of memory, then ports and workers that end for what is leaked. Any
// report fails the run, also one of a process whose end nobody looks at.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAsanAddon, sanitizerLibraries } from './build-asan.js';

const folder = fileURLToPath(new URL('..', import.meta.url));
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

if (process.platform !== 'linux') {
  console.log('bufferevent-epoll: not on Linux, no addon is tested');
  process.exit();
}

const addon = buildAsanAddon();
const reports = mkdtempSync(join(tmpdir(), 'bufferevent-epoll-asan-'));

/** Whose tests run on epoll, too. */
const testedFolders = ['.', '../bufferevent', '../../apps/echo', '../../examples/workers-echo'];
/** All but those that judge resident memory: the sanitizer keeps what was freed. */
const tests = ['--testNamePattern', '^(?!.*costs bounded memory)'];

/** Runs Node over the sanitized addon, in a folder seen from this package. */
function runNode(words: readonly string[], where: string, { detectLeaks }: { detectLeaks: boolean }): boolean {
  const common = `log_path=${reports}/report:halt_on_error=1`;
  const { status } = spawnSync(process.execPath, words, {
    cwd: join(folder, where),
    stdio: 'inherit',
    env: {
      ...process.env,
      BUFFEREVENT_EPOLL_ADDON: addon,
      LD_PRELOAD: sanitizerLibraries().join(' '),
      ASAN_OPTIONS: `${common}:detect_leaks=${Number(detectLeaks)}:detect_stack_use_after_return=1`,
      UBSAN_OPTIONS: `${common}:print_stacktrace=1`,
      // V8 and other addons leave memory behind at the end, and that is not ours to judge. Holds for all sanitizers.
      ...(detectLeaks ? { LSAN_OPTIONS: 'exitcode=0' } : {}),
    },
  });
  return status === 0;
}

/** Of a report of leaks only what the addon took itself: what Node-API keeps for it goes with the process. */
function ourPart(report: string): string {
  if (!report.includes('LeakSanitizer')) return report;
  const leaks = report.split('\n\n').filter((leak) => / leak of /.test(leak));
  return leaks.filter(isTakenByAddon).join('\n\n');
}

/** Frame 0 is the allocator; an addon that a worker has unloaded has no name any more. */
function isTakenByAddon(leak: string): boolean {
  const taker = leak.split('\n').find((line) => /^ *#\d+ /.test(line) && !/libsanitizer|\/c\+\+\//.test(line)) ?? '';
  return /bufferevent_epoll|native\/|unknown module/.test(taker);
}

try {
  const passed = [
    ...testedFolders.map((where) =>
      runNode([vitest, 'run', '--config', '../../vitest.config.ts', ...tests], where, { detectLeaks: false }),
    ),
    // Not in vitest, which ends its processes in a way that nothing is looked for.
    runNode(['--import', 'tsx', 'scripts/leak-scenes.ts'], '.', { detectLeaks: true }),
  ].every(Boolean);
  const found = readdirSync(reports)
    .map((name) => ourPart(readFileSync(join(reports, name), 'utf8')))
    .filter((report) => report !== '');
  for (const report of found) console.error(report);
  console.log(`sanitizers: ${found.length} reports`);
  if (!passed || found.length > 0) process.exitCode = 1;
} finally {
  rmSync(reports, { recursive: true, force: true });
}
