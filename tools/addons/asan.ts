// asan.ts PACKAGE [--with FOLDER]… [--by-night WORDS]… [FILE …]: runs the tests of a package over its addon with
// AddressSanitizer and UndefinedBehaviorSanitizer, in vitest's processes and in every process that these start: all of them, or
// those in the files named, for wrong uses of memory, then its `scripts/leak-scenes.ts` for what is leaked. Any report fails the
// run, also one of a process whose end nobody looks at. The tests of folders that stand on the addon, and those with such words in
// their names, run so every night.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compileAddon } from './compile.js';
import { PackageFolder } from './package-folder.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    with: { type: 'string', multiple: true, default: [] },
    'by-night': { type: 'string', multiple: true, default: [] },
  },
});
const [name, ...files] = positionals as [string, ...string[]];
const of = new PackageFolder(name);
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

if (process.platform !== 'linux') {
  console.log(`${name}: not on Linux, no addon is tested`);
  process.exit();
}

/** What a process has to load first. */
const libraries = ['libasan.so', 'libubsan.so'].map((library) =>
  execFileSync('gcc', [`-print-file-name=${library}`], { encoding: 'utf8' }).trim(),
);
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-g'];
const addon = compileAddon(name, `build/asan/${of.target.target_name}.node`, { words: [...sanitizers, '-O1'] });
const reports = mkdtempSync(join(tmpdir(), `${name}-asan-`));

const root = fileURLToPath(new URL('../..', import.meta.url));
const isNight = process.env['NIGHTLY'] !== undefined;
const standing = isNight ? values.with.map((folder) => join(root, folder)) : [];
/** Those that judge resident memory never: the sanitizer keeps what was freed. */
const leftOut = ['costs bounded memory', ...(isNight ? [] : values['by-night'])];
/** A process takes several times as long to start. */
const tests = ['--testNamePattern', `^(?!.*(${leftOut.join('|')}))`, '--testTimeout', '60000'];

/** Runs Node over the sanitized addon. */
function runNode(words: readonly string[], folder: string, { detectLeaks }: { detectLeaks: boolean }): boolean {
  const common = `log_path=${reports}/report:halt_on_error=1`;
  const { status } = spawnSync(process.execPath, words, {
    cwd: folder,
    stdio: 'inherit',
    env: {
      ...process.env,
      // The long runs of the night are made without sanitizers, under which they would take hours.
      NIGHTLY: undefined,
      [of.variable]: addon,
      LD_PRELOAD: libraries.join(' '),
      ASAN_OPTIONS: `${common}:detect_leaks=${Number(detectLeaks)}:detect_stack_use_after_return=1`,
      UBSAN_OPTIONS: `${common}:print_stacktrace=1`,
      // V8 and other addons leave memory behind at the end, and that is not ours to judge. Holds for all sanitizers.
      ...(detectLeaks ? { LSAN_OPTIONS: 'exitcode=0' } : {}),
    },
  });
  return status === 0;
}

function runTests(folder: string): boolean {
  const command = [vitest, 'run', '--config', '../../vitest.config.ts', ...tests, ...files];
  return runNode(command, folder, { detectLeaks: false });
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
  return taker.includes(of.target.target_name) || /native\/|unknown module/.test(taker);
}

try {
  const passed = [
    runTests(of.folder),
    ...standing.map(runTests),
    // Not in vitest, which ends its processes in a way that nothing is looked for.
    runNode(['--import', 'tsx', 'scripts/leak-scenes.ts'], of.folder, { detectLeaks: true }),
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
