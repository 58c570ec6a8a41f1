import type { CaseContext } from './context.js';
import type { Flavour, FlavourSupports } from './flavour.js';

/** What cases are grouped by. */
export const topics = [
  'dispatch',
  'transfer',
  'reading',
  'writing',
  'events',
  'time-outs',
  'closing',
  'pulling',
  'layers',
  'connecting',
  'reentrancy',
  'scripts',
] as const;
export type Topic = (typeof topics)[number];

/** A bit of `supports` that must be true, or `dial`, which the flavour must have. */
export type Requirement = keyof FlavourSupports | 'dial';

/** One behaviour that a bufferevent owes its user. */
export interface ComplianceCase {
  readonly topic: Topic;
  /** The rules that a failure breaks, such as `RD-4` or `B23`: those of `docs/bufferevent-contract.md`. */
  readonly rules: readonly string[];
  /** A sentence after the rules and, in brackets, the case of libevent's own suite: `RD-4 (regress B10): …`. Unique. */
  readonly title: string;
  readonly requires: readonly Requirement[];
  /** Rejects when the rules are broken. Run it through `runCase`, which also checks what holds always. */
  readonly run: (context: CaseContext) => Promise<void>;
}

/** Why a case does not apply to this flavour, or `null` when it does. */
export function exclusionReason(flavour: Flavour, requirement: Requirement): string | null {
  if (requirement === 'dial') return flavour.dial === undefined ? 'the flavour has no dial' : null;
  return flavour.supports[requirement] ? null : `supports.${requirement} is false`;
}

/** Shorthand for the files under `cases/`. The rules are read from the title. */
export type DefineCase = (
  title: string,
  run: (context: CaseContext) => Promise<void>,
  requires?: readonly Requirement[],
) => ComplianceCase;

export function casesOf(topic: Topic): DefineCase {
  return (title, run, requires = []) => ({ topic, rules: rulesOf(title), title, requires, run });
}

function rulesOf(title: string): string[] {
  const cited = title.slice(0, title.indexOf(':')).replace(/\(.*\)/, '');
  return cited.match(/\b(?:(?:CB|RD|WR|EV|TO|FI|FR|LI)-|B)\d+\b/g) ?? [];
}
