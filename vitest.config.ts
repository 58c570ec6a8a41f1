import { defineConfig } from 'vitest/config';

// One configuration for every package: `vitest run --config ../../vitest.config.ts`, started in the package's folder.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process per file, so that a handle or an exception left by one file cannot be blamed on another.
    pool: 'forks',
    // One file at a time: tests about time, memory and open handles measure themselves and not their neighbours.
    maxWorkers: 1,
    execArgv: ['--expose-gc'],
    testTimeout: 10_000,
    hookTimeout: 10_000,
    reporters: process.env['TEST_REPORT'] ? ['default', 'json'] : ['default'],
    // Read by tools/checks to add up the tests of all packages.
    outputFile: { json: '.vitest/report.json' },
  },
});
