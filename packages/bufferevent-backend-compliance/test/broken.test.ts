import { strict as assert } from 'node:assert';
import { appendFileSync } from 'node:fs';
import {
  applicableCases,
  type ComplianceCase,
  cases,
  type Harness,
  rules,
  runCase,
} from 'bufferevent-backend-compliance';
import { brokenFakes } from 'bufferevent-backend-compliance/broken';
import { createMemoryHarness } from 'bufferevent-backend-compliance/memory-harness';
import { describe, it } from 'vitest';

/** Set to a file name to have every fake run against every case, and what each fails written there. */
const matrix = process.env['COMPLIANCE_MATRIX'];

/** For rules whose cases start processes. */
const SLOW_MS = 60_000;
/** Failures fetched from a fake; each may cost a time-out. */
const ENOUGH = 3;

async function failureOf(one: ComplianceCase, harness: Harness): Promise<unknown> {
  try {
    await runCase(one, harness);
    return null;
  } catch (error) {
    return error ?? new Error('rejected with nothing');
  }
}

describe('the suite', () => {
  it('has a case and a broken fake for every rule', () => {
    for (const rule of rules) {
      assert.ok(
        cases.some((one) => one.rule === rule),
        `no case for ${rule}`,
      );
      assert.ok(
        brokenFakes.some((fake) => fake.rule === rule),
        `no fake for ${rule}`,
      );
    }
  });

  it('names each case once, by its rule', () => {
    assert.equal(new Set(cases.map(({ title }) => title)).size, cases.length);
    for (const { rule, title } of cases) assert.ok(title.startsWith(`${rule}: `), title);
    assert.ok(cases.length >= 120, `${cases.length} cases`);
  });

  // Without C16: its child processes are the same for the plain memory backend, which has a test of its own.
  for (const rule of rules.filter((one) => one !== 'C16')) {
    it(
      `accepts the unbroken backend that the fakes are made from (${rule})`,
      async () => {
        for (const one of applicableCases(createMemoryHarness()).filter((candidate) => candidate.rule === rule)) {
          await runCase(one, createMemoryHarness({ timeoutMs: 2000 }));
        }
      },
      SLOW_MS,
    );
  }

  for (const fake of brokenFakes) {
    it(
      `rejects a backend that ${fake.title} (${fake.rule})`,
      async () => {
        const failures: unknown[] = [];
        for (const one of applicableCases(fake.create()).filter(({ rule }) => rule === fake.rule)) {
          const failure = await failureOf(one, fake.create());
          if (failure !== null) failures.push(failure);
          if (failures.length === ENOUGH) break;
        }
        assert.ok(failures.length > 0, `no case of ${fake.rule} fails`);
        // A case that trips over itself has proved nothing about the backend.
        for (const failure of failures) assert.ok(isVerdict(failure), `failed with ${String(failure)}`);
      },
      SLOW_MS,
    );

    it.runIf(matrix !== undefined)(
      `lists what a backend that ${fake.title} fails`,
      async () => {
        const failed: string[] = [];
        for (const one of applicableCases(fake.create())) {
          if ((await failureOf(one, fake.create())) !== null) failed.push(one.title);
        }
        appendFileSync(String(matrix), `${JSON.stringify({ rule: fake.rule, title: fake.title, failed })}\n`);
      },
      600_000,
    );
  }
});

/** An assertion, or the refusal of a verb by the contract. */
function isVerdict(failure: unknown): boolean {
  return failure instanceof assert.AssertionError || (failure instanceof Error && failure.name === 'BackendError');
}
