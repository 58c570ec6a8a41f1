import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface TestTotals {
  readonly passed: number;
  readonly failed: number;
  /** What failed, each with its folder and the head of its message: the end of a long log is what people are shown. */
  readonly failures: readonly string[];
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { status: string; fullName: string; failureMessages: readonly string[] }[];
  }[];
}

const LINES_OF_A_MESSAGE = 6;

const headOf = (message = ''): string =>
  message
    .split('\n')
    .slice(0, LINES_OF_A_MESSAGE)
    .map((line) => `\n    ${line}`)
    .join('');

const reportOf = (root: string, folder: string): string => join(root, folder, '.vitest/report.json');

export function removeTestReports(root: string, folders: readonly string[]): void {
  for (const folder of folders) rmSync(reportOf(root, folder), { force: true });
}

/** Those in which tests have run since their reports were removed. */
export function foldersWithReports(root: string, folders: readonly string[]): string[] {
  return folders.filter((folder) => existsSync(reportOf(root, folder)));
}

/** Adds up the reports of all packages that have tests. A package without a report, and a file that did not load, failed. */
export function collectTestReports(root: string, folders: readonly string[]): TestTotals {
  let passed = 0;
  const failures: string[] = [];
  for (const folder of folders) {
    const { scripts } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    if (scripts?.test === undefined) continue;
    const path = reportOf(root, folder);
    if (!existsSync(path)) {
      failures.push(`${folder}: no report`);
      continue;
    }
    const report: Report = JSON.parse(readFileSync(path, 'utf8'));
    passed += report.numPassedTests;
    for (const file of report.testResults) {
      const name = `${folder}: ${relative(join(root, folder), file.name)}`;
      const failed = file.assertionResults.filter((test) => test.status === 'failed');
      for (const test of failed) failures.push(`${name}: ${test.fullName}${headOf(test.failureMessages[0])}`);
      if (file.status === 'failed' && failed.length === 0) failures.push(`${name}${headOf(file.message)}`);
    }
  }
  return { passed, failed: failures.length, failures };
}
