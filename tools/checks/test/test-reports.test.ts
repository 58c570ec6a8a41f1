import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { collectTestReports, removeTestReports } from '../src/test-reports.js';

const root = mkdtempSync(join(tmpdir(), 'test-reports-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function addPackage(folder: string, scripts: object, report?: object): string {
  mkdirSync(join(root, folder, '.vitest'), { recursive: true });
  writeFileSync(join(root, folder, 'package.json'), JSON.stringify({ scripts }));
  if (report !== undefined) writeFileSync(join(root, folder, '.vitest/report.json'), JSON.stringify(report));
  return folder;
}

it('adds up tests, and counts a file that did not load and a package without a report as failed', () => {
  const test = { test: 'vitest run' };
  const folders = [
    addPackage('good', test, { numPassedTests: 5, numFailedTests: 0, testResults: [] }),
    addPackage('failing', test, {
      numPassedTests: 2,
      numFailedTests: 1,
      testResults: [
        { status: 'failed', assertionResults: [{ status: 'failed' }] },
        { status: 'failed', assertionResults: [] },
      ],
    }),
    addPackage('crashed', test),
    addPackage('without-tests', {}),
  ];
  expect(collectTestReports(root, folders)).toEqual({ passed: 7, failed: 3 });
  removeTestReports(root, folders);
  expect(collectTestReports(root, folders)).toEqual({ passed: 0, failed: 3 });
});
