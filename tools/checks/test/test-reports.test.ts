import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { collectTestReports, foldersWithReports, removeTestReports } from '../src/test-reports.js';

const root = mkdtempSync(join(tmpdir(), 'test-reports-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function addPackage(folder: string, scripts: object, report?: object): string {
  mkdirSync(join(root, folder, '.vitest'), { recursive: true });
  writeFileSync(join(root, folder, 'package.json'), JSON.stringify({ scripts }));
  if (report !== undefined) writeFileSync(join(root, folder, '.vitest/report.json'), JSON.stringify(report));
  return folder;
}

it('adds up tests, names what failed, and counts a file that did not load and a package without a report as failed', () => {
  const test = { test: 'vitest run' };
  const folders = [
    addPackage('good', test, { numPassedTests: 5, numFailedTests: 0, testResults: [] }),
    addPackage('failing', test, {
      numPassedTests: 2,
      numFailedTests: 1,
      testResults: [
        {
          name: join(root, 'failing/test/a.test.ts'),
          status: 'failed',
          message: '',
          assertionResults: [
            { status: 'passed', fullName: 'adds', failureMessages: [] },
            { status: 'failed', fullName: 'takes away', failureMessages: ['expected 1 to be 2'] },
          ],
        },
        {
          name: join(root, 'failing/test/b.test.ts'),
          status: 'failed',
          message: 'no such module',
          assertionResults: [],
        },
      ],
    }),
    addPackage('crashed', test),
    addPackage('without-tests', {}),
  ];
  expect(collectTestReports(root, folders)).toEqual({
    passed: 7,
    failed: 3,
    failures: [
      'failing: test/a.test.ts: takes away\n    expected 1 to be 2',
      'failing: test/b.test.ts\n    no such module',
      'crashed: no report',
    ],
  });
  expect(foldersWithReports(root, folders)).toEqual(['good', 'failing']);
  removeTestReports(root, folders);
  expect(foldersWithReports(root, folders)).toEqual([]);
  expect(collectTestReports(root, folders)).toMatchObject({ passed: 0, failed: 3 });
});
