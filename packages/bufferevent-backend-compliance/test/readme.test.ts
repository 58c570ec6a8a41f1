import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { cases, excludedCases, type Harness, rules } from 'bufferevent-backend-compliance';
import { createMemoryHarness } from 'bufferevent-backend-compliance/memory-harness';
import { describe, it } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

describe('the README', () => {
  it('gives the number of cases for each rule', () => {
    for (const rule of rules) {
      const count = cases.filter((one) => one.rule === rule).length;
      assert.ok(readme.includes(`| ${rule} | ${count} | `), `${rule} has ${count} cases`);
    }
  });
});

describe('excludedCases', () => {
  it('says which bit or hook is missing', () => {
    const harness: Harness = { ...createMemoryHarness({ supports: { sendFile: false } }), maxStreams: 1 };
    const reasons = new Set(excludedCases(harness).flatMap((one) => one.reasons));
    assert.deepEqual(
      reasons,
      new Set([
        'supports.sendFile is false',
        'supports.deferAccept is false',
        'supports.socketFiles is false',
        'the harness has no openSparseFile',
        'supports.cancelSend is true',
      ]),
    );
  });

  it('lists nothing but the opposite of a bit, files of gigabytes and what is said there for the memory backend', () => {
    const titles = excludedCases(createMemoryHarness()).map((one) => one.case.title);
    assert.deepEqual(titles, [
      'C6: with deferAccept a connection is accepted when its first bytes have come',
      'C9: sendFile takes offsets beyond two and four gibibytes',
      'C13: a socket file has the permissions that it was given, whatever the umask',
      'C17: where a send cannot be cancelled, asking for it throws and the send goes on',
    ]);
  });
});
