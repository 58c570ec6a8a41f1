// The suite notices: every bufferevent with a fault is rejected by a case that names the rule it breaks.
import { strict as assert } from 'node:assert';
import { BuffereventError } from 'bufferevent';
import {
  applicableCases,
  type ComplianceCase,
  cases,
  type Flavour,
  runCase,
  socketFlavour,
  topics,
} from 'bufferevent/compliance';
import { type BrokenFake, brokenFakes } from 'bufferevent/compliance/broken';
import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
import { describe, it } from 'vitest';

const KiB = 1024;

/** Small and quick to give up: many cases fail against a fake only by time-out. */
const good: Flavour = socketFlavour('sockets in memory', {
  createBackend: () =>
    createMemoryBackend(new MemoryNetwork({ capacity: 16 * KiB }), { supports: { sendFile: false } }),
  files: true,
  bulkBytes: 100_000,
  transitBytes: 64 * KiB,
  scripts: 5,
  timeoutMs: 200,
});

async function failureOf(one: ComplianceCase, flavour: Flavour): Promise<unknown> {
  try {
    await runCase(one, flavour);
    return null;
  } catch (error) {
    return error ?? new Error('rejected with nothing');
  }
}

describe('the suite', () => {
  it('names each case once, after its rules', () => {
    assert.equal(new Set(cases.map(({ title }) => title)).size, cases.length);
    for (const { rules, title } of cases) assert.ok(rules.length > 0 && title.startsWith(rules[0] as string), title);
    assert.ok(cases.length >= 130, `${cases.length} cases`);
  });

  it('has a case for the rule of every broken fake', () => {
    for (const { rule, title } of brokenFakes) {
      assert.ok(
        applicableCases(good).some(({ rules }) => rules.includes(rule)),
        `no case of ${rule}, for one that ${title}`,
      );
    }
  });

  it('accepts the unbroken flavour that the fakes are made from', async () => {
    for (const one of applicableCases(good)) await runCase(one, { ...good, timeoutMs: 8000 });
  }, 60_000);

  for (const fake of brokenFakes) {
    it(`rejects a bufferevent that ${fake.title} (${fake.rule})`, async () => {
      const flavour = fake.over(good);
      const failures: unknown[] = [];
      for (const one of applicableCases(flavour).filter(({ rules }) => rules.includes(fake.rule))) {
        const failure = await failureOf(one, flavour);
        if (failure === null) continue;
        failures.push(failure);
        break;
      }
      assert.ok(failures.length > 0, `no case of ${fake.rule} fails`);
      for (const failure of failures) assert.ok(isVerdict(failure), `failed with ${String(failure)}`);
    }, 60_000);
  }

  for (const topic of topics) {
    it(`has no case about ${topic} that every bufferevent with a fault in its rules passes`, async () => {
      const passed: string[] = [];
      for (const one of applicableCases(good).filter((candidate) => candidate.topic === topic)) {
        const fakes = brokenFakes.filter(({ rule }) => one.rules.includes(rule));
        let failed = false;
        for (let index = 0; index < fakes.length && !failed; index++) {
          failed = (await failureOf(one, (fakes[index] as BrokenFake).over(good))) !== null;
        }
        if (!failed) passed.push(one.title);
      }
      assert.deepEqual(passed, []);
    }, 120_000);
  }
});

/** An assertion, or the refusal of a call. A case that trips over itself has proved nothing about the bufferevent. */
function isVerdict(failure: unknown): boolean {
  return failure instanceof assert.AssertionError || failure instanceof BuffereventError;
}
