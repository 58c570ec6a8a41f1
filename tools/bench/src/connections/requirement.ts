import { type Judgement, times } from '../judgement.js';
import { type Figure, figureTitles } from './figures.js';
import type { ServerId } from './servers.js';

/** What is judged: ours, as users get it. */
export const ours: ServerId = 'epoll';

/** Nothing that makes the same system calls does with less. */
export const limit: ServerId = 'c-loop';

/** What ours must reach of a peer's figure. */
export type Requirement =
  | { readonly figure: Figure; readonly against: ServerId; readonly atLeast: number }
  | { readonly figure: Figure; readonly against: ServerId; readonly atMost: number };

/** `ratio`: ours in terms of the peer's. */
export function judge(requirement: Requirement, ratio: number): Judgement {
  const atLeast = 'atLeast' in requirement;
  const wanted = atLeast ? requirement.atLeast : requirement.atMost;
  return {
    reached: times(ratio),
    required: `${atLeast ? 'at least' : 'at most'} ${times(wanted)}`,
    holds: atLeast ? ratio >= wanted : ratio <= wanted,
  };
}

export function describeRequirement({ figure, against }: Requirement, serverTitle: (id: ServerId) => string): string {
  return `${figureTitles[figure]}, against ${serverTitle(against)}`;
}
