import { type Judgement, times } from '../judgement.js';
import type { PeerName } from './works.js';

/** What evbuffer must reach against a peer, in the words in which it is required. */
export type Requirement =
  | { readonly peer: PeerName; readonly asFastAtLeast: number }
  | { readonly peer: PeerName; readonly timeAtMost: number };

/** `timeRatio`: evbuffer's time in those of the peer. */
export function judge(requirement: Requirement, timeRatio: number): Judgement {
  if ('asFastAtLeast' in requirement) {
    const { asFastAtLeast } = requirement;
    return {
      reached: `${times(1 / timeRatio)} as fast`,
      required: `at least ${asFastAtLeast}× as fast`,
      holds: 1 / timeRatio >= asFastAtLeast,
    };
  }
  const { timeAtMost } = requirement;
  return {
    reached: `${times(timeRatio)} its time`,
    required: timeAtMost === 1 ? 'at most its time' : `at most ${timeAtMost}× its time`,
    holds: timeRatio <= timeAtMost,
  };
}
