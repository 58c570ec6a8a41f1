import type { BackendSupports } from 'bufferevent-backend';
import type { CaseContext } from './context.js';
import type { Harness } from './harness.js';

/** Every rule of the contract, in order. */
export const rules = [
  'C1',
  'C2',
  'C3',
  'C4',
  'C5',
  'C6',
  'C7',
  'C8',
  'C9',
  'C10',
  'C11',
  'C12',
  'C13',
  'C14',
  'C15',
  'C16',
  'C17',
  'C18',
  'C19',
  'C20',
] as const;
export type Rule = (typeof rules)[number];

type BooleanBit = {
  [Key in keyof BackendSupports]: BackendSupports[Key] extends boolean ? Key : never;
}[keyof BackendSupports];

type Hook =
  | 'ipv6Address'
  | 'pathAddress'
  | 'localAddress'
  | 'foreignAddress'
  | 'exhaustDescriptors'
  | 'socketPair'
  | 'openFile'
  | 'openSparseFile'
  | 'childModule';

/**
 * A bit of `supports` that must be true (`!` before it: false), a hook the harness must have, or `tcp`: sockets of the
 * Unix domain know no reset and no Nagle, and a path that is gone is not a port that refuses.
 */
export type Requirement = BooleanBit | `!${BooleanBit}` | Hook | 'tcp';

/** One behaviour that the contract demands. */
export interface ComplianceCase {
  readonly rule: Rule;
  /** A sentence that starts with the rule: `C1: …`. Unique. */
  readonly title: string;
  readonly requires: readonly Requirement[];
  /** Rejects when the backend breaks the rule. Run it through {@link runCase}, which also checks what holds always. */
  readonly run: (context: CaseContext) => Promise<void>;
}

const hooks: ReadonlySet<string> = new Set<Hook>([
  'ipv6Address',
  'pathAddress',
  'localAddress',
  'foreignAddress',
  'exhaustDescriptors',
  'socketPair',
  'openFile',
  'openSparseFile',
  'childModule',
]);

/** Why a case does not apply to this harness, or `null` when it does. */
export function exclusionReason(harness: Harness, requirement: Requirement): string | null {
  if (hooks.has(requirement)) {
    return harness[requirement as Hook] === undefined ? `the harness has no ${requirement}` : null;
  }
  if (requirement === 'tcp') return 'path' in harness.listenAddress() ? 'the harness listens on a path' : null;
  const negated = requirement.startsWith('!');
  const bit = (negated ? requirement.slice(1) : requirement) as BooleanBit;
  return harness.backend.supports[bit] === negated ? `supports.${bit} is ${negated}` : null;
}

/** Shorthand used by the files under `cases/`. The rule is read from the title. */
export function complianceCase(
  title: `${Rule}: ${string}`,
  run: (context: CaseContext) => Promise<void>,
  requires: readonly Requirement[] = [],
): ComplianceCase {
  return { rule: title.slice(0, title.indexOf(':')) as Rule, title, requires, run };
}
