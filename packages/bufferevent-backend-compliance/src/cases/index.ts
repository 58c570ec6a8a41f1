import type { ComplianceCase } from '../case.js';
import { acceptCases } from './accept.js';
import { cancelCases } from './cancel.js';
import { closingCases } from './closing.js';
import { completionCases } from './completion.js';
import { addressCases, failureCases } from './failures.js';
import { idleCases } from './idle.js';
import { memoryCases } from './memory.js';
import { processCases } from './process.js';
import { receivingCases } from './receiving.js';
import { sendingCases } from './sending.js';
import { sinkCases } from './sink.js';
import { submissionCases } from './submission.js';

/** Every case, in no particular order; {@link ComplianceCase.rule} groups them. */
export const cases: readonly ComplianceCase[] = [
  ...submissionCases,
  ...completionCases,
  ...acceptCases,
  ...memoryCases,
  ...receivingCases,
  ...sendingCases,
  ...closingCases,
  ...failureCases,
  ...addressCases,
  ...idleCases,
  ...processCases,
  ...cancelCases,
  ...sinkCases,
];
