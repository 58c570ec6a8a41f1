import { defineConfig } from 'vitest/config';

const everyTest = 'test/**/*.test.ts';

/** Files that measure time or the growth of memory, or bring the machine to its limits: nothing runs beside them. */
const alone = [
  'adapter-leak',
  'file-sending',
  'half-finished-handshakes',
  'hostile',
  'leak',
  'leaks',
  'memory-left',
  'rate-limit-precision',
  'self-test',
  'start',
  'timeouts',
].map((name) => `test/**/${name}.test.ts`);

// One configuration for every package: `vitest run --config ../../vitest.config.ts`, started in the package's folder.
export default defineConfig({
  test: {
    // A process per file, so that a handle or an exception left by one file cannot be blamed on another.
    pool: 'forks',
    execArgv: ['--expose-gc'],
    testTimeout: 10_000,
    hookTimeout: 10_000,
    reporters: process.env['TEST_REPORT'] ? ['default', 'json'] : ['default'],
    // Read by tools/checks to add up the tests of all packages.
    outputFile: { json: '.vitest/report.json' },
    projects: [
      {
        extends: true,
        test: {
          name: 'beside others',
          include: [everyTest],
          exclude: alone,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
