import type { ComplianceCase } from '../case.js';
import { closingCases } from './closing.js';
import { connectingCases } from './connecting.js';
import { dispatchCases } from './dispatch.js';
import { eventCases } from './events.js';
import { layerCases } from './layers.js';
import { pullingCases } from './pulling.js';
import { readingCases } from './reading.js';
import { reentrancyCases } from './reentrancy.js';
import { scriptCases } from './scripts.js';
import { timeoutCases } from './timeouts.js';
import { transferCases } from './transfer.js';
import { writingCases } from './writing.js';

/** Every case, in no particular order; {@link ComplianceCase.topic} groups them. */
export const cases: readonly ComplianceCase[] = [
  ...dispatchCases,
  ...transferCases,
  ...readingCases,
  ...writingCases,
  ...eventCases,
  ...timeoutCases,
  ...closingCases,
  ...pullingCases,
  ...layerCases,
  ...connectingCases,
  ...reentrancyCases,
  ...scriptCases,
];
