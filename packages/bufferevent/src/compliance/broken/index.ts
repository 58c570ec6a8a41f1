import { closingFakes } from './closing.js';
import { dispatchFakes } from './dispatch.js';
import { eventFakes } from './events.js';
import type { BrokenFake } from './fake.js';
import { layerFakes } from './layers.js';
import { pullingFakes } from './pulling.js';
import { readingFakes } from './reading.js';
import { timeoutFakes } from './timeouts.js';
import { writingFakes } from './writing.js';

export { type BrokenFake, brokenFake } from './fake.js';
export { Fault } from './fault.js';

/** Bufferevents with one fault each, that the suite must reject. */
export const brokenFakes: readonly BrokenFake[] = [
  ...dispatchFakes,
  ...readingFakes,
  ...writingFakes,
  ...eventFakes,
  ...timeoutFakes,
  ...closingFakes,
  ...pullingFakes,
  ...layerFakes,
];
