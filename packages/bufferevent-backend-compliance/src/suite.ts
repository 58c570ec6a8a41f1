import { AssertionError } from 'node:assert/strict';
import { type ComplianceCase, exclusionReason, rules } from './case.js';
import { cases } from './cases/index.js';
import { CaseContext } from './context.js';
import type { Harness, Runner } from './harness.js';

/** A case that does not apply to a harness, and why. */
export interface ExcludedCase {
  readonly case: ComplianceCase;
  readonly reasons: readonly string[];
}

/** Registers every case that applies to the harness, grouped by rule. */
export function backendCompliance(runner: Runner, harness: Harness): void {
  runner.describe(`${harness.backend.name}: backend contract`, () => {
    for (const rule of rules) {
      const applicable = applicableCases(harness).filter((one) => one.rule === rule);
      if (applicable.length === 0) continue;
      runner.describe(rule, () => {
        for (const one of applicable) runner.it(one.title, () => runCase(one, harness));
      });
    }
  });
}

/** The cases that {@link backendCompliance} registers. */
export function applicableCases(harness: Harness): readonly ComplianceCase[] {
  return cases.filter((one) => reasonsAgainst(one, harness).length === 0);
}

/** The cases that it leaves out, each with the bits of `supports` or the hooks that are missing. */
export function excludedCases(harness: Harness): readonly ExcludedCase[] {
  return cases.flatMap((one) => {
    const reasons = reasonsAgainst(one, harness);
    return reasons.length > 0 ? [{ case: one, reasons }] : [];
  });
}

/** Runs one case with ports of its own, and the checks that hold always. */
export async function runCase(one: ComplianceCase, harness: Harness): Promise<void> {
  const context = new CaseContext(harness);
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
  if (failure === null) return;
  const violations = context.violations();
  if (violations.length === 0) throw failure.error;
  // The broken rule explains the failure better than the step that stumbled over it.
  const message = failure.error instanceof Error ? failure.error.message : String(failure.error);
  throw new AssertionError({ message: `${violations.join('\n')}\n${message}` });
}

function reasonsAgainst(one: ComplianceCase, harness: Harness): string[] {
  return one.requires.flatMap((requirement) => exclusionReason(harness, requirement) ?? []);
}
