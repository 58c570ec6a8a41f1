import { completesInsideClose } from './c1-completes-inside-close.js';
import { drainsInsideVerbs } from './c1-drains-inside-verbs.js';
import { completesTwice } from './c2-completes-twice.js';
import { losesCancelledRecv } from './c2-loses-cancelled-recv.js';
import { queuesSecondRecv } from './c3-queues-second-recv.js';
import { readsAfterCompletion } from './c4-reads-after-completion.js';
import { reusesLeasedMemory } from './c5-reuses-leased-memory.js';
import { readsAhead } from './c6-reads-ahead.js';
import { ignoresLowering, roundsUp } from './c7-rounds-up.js';
import { endOvertakes } from './c8-end-overtakes.js';
import { shutdownOvertakes } from './c9-shutdown-overtakes.js';
import { answersEndWithEnd } from './c10-answers-end-with-end.js';
import { closeFirst } from './c11-close-first.js';
import { reusesHandles } from './c12-reuses-handles.js';
import { rawCodes } from './c13-raw-codes.js';
import { resetAsEnd } from './c13-reset-as-end.js';
import { resolvesNames } from './c14-resolves-names.js';
import { bufferPerStream } from './c15-buffer-per-stream.js';
import { alwaysAlive } from './c16-always-alive.js';
import { dropsCancelledBytes } from './c17-drops-cancelled-bytes.js';
import { errorDropsBytes } from './c18-error-drops-bytes.js';
import { stuckAfterThrow } from './c19-stuck-after-throw.js';
import { reportsEachTurn } from './c20-reports-each-turn.js';
import type { BrokenFake } from './fake.js';

export type { BrokenFake } from './fake.js';

/** At least one for each rule, in their order. */
export const brokenFakes: readonly BrokenFake[] = [
  completesInsideClose,
  drainsInsideVerbs,
  losesCancelledRecv,
  completesTwice,
  queuesSecondRecv,
  readsAfterCompletion,
  reusesLeasedMemory,
  readsAhead,
  roundsUp,
  ignoresLowering,
  endOvertakes,
  shutdownOvertakes,
  answersEndWithEnd,
  closeFirst,
  reusesHandles,
  rawCodes,
  resetAsEnd,
  resolvesNames,
  bufferPerStream,
  alwaysAlive,
  dropsCancelledBytes,
  errorDropsBytes,
  stuckAfterThrow,
  reportsEachTurn,
];
