import { AssertionError } from 'node:assert/strict';
import { type ComplianceCase, exclusionReason, topics } from './case.js';
import { cases } from './cases/index.js';
import { CaseContext } from './context.js';
import type { Flavour, Runner } from './flavour.js';

/** A case that does not apply to a flavour, and why. */
export interface ExcludedCase {
  readonly case: ComplianceCase;
  readonly reasons: readonly string[];
}

/** Registers every case that applies to the flavour, grouped by topic. */
export function buffereventCompliance(runner: Runner, flavour: Flavour): void {
  runner.describe(`${flavour.name}: bufferevent contract`, () => {
    for (const topic of topics) {
      const applicable = applicableCases(flavour).filter((one) => one.topic === topic);
      if (applicable.length === 0) continue;
      runner.describe(topic, () => {
        for (const one of applicable) runner.it(one.title, () => runCase(one, flavour));
      });
    }
  });
}

/** The cases that {@link buffereventCompliance} registers. */
export function applicableCases(flavour: Flavour): readonly ComplianceCase[] {
  return cases.filter((one) => reasonsAgainst(one, flavour).length === 0);
}

/** The cases that it leaves out, each with what the flavour lacks. */
export function excludedCases(flavour: Flavour): readonly ExcludedCase[] {
  return cases.flatMap((one) => {
    const reasons = reasonsAgainst(one, flavour);
    return reasons.length > 0 ? [{ case: one, reasons }] : [];
  });
}

/** Runs one case over connections of its own, and the checks that hold always. */
export async function runCase(one: ComplianceCase, flavour: Flavour): Promise<void> {
  const context = new CaseContext(flavour);
  let failure: { readonly error: unknown } | null = null;
  try {
    await one.run(context);
  } catch (error) {
    failure = { error };
  }
  try {
    await context.finish();
  } catch (error) {
    failure ??= { error };
  }
  // The broken rule explains a failure better than the step that stumbled over it.
  const { violations } = context;
  if (violations.length > 0) {
    const { error } = failure ?? { error: null };
    const more = error instanceof Error ? [error.message] : [];
    throw new AssertionError({ message: [...violations.slice(0, 5), ...more].join('\n') });
  }
  if (failure !== null) throw failure.error;
}

function reasonsAgainst(one: ComplianceCase, flavour: Flavour): string[] {
  return one.requires.flatMap((requirement) => exclusionReason(flavour, requirement) ?? []);
}
