import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface TestTotals {
  readonly passed: number;
  readonly failed: number;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { status: string }[];
  }[];
}

const reportOf = (root: string, folder: string): string => join(root, folder, '.vitest/report.json');

export function removeTestReports(root: string, folders: readonly string[]): void {
  for (const folder of folders) rmSync(reportOf(root, folder), { force: true });
}

/** Adds up the reports of all packages that have tests. A package without a report, and a file that did not load, failed. */
export function collectTestReports(root: string, folders: readonly string[]): TestTotals {
  let passed = 0;
  let failed = 0;
  for (const folder of folders) {
    const { scripts } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    if (scripts?.test === undefined) continue;
    const path = reportOf(root, folder);
    if (!existsSync(path)) {
      failed += 1;
      continue;
    }
    const report: Report = JSON.parse(readFileSync(path, 'utf8'));
    const notLoaded = report.testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    );
    passed += report.numPassedTests;
    failed += report.numFailedTests + notLoaded.length;
  }
  return { passed, failed };
}
