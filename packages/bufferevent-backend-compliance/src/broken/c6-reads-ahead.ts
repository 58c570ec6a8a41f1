import { BrokenPort, breakWith } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** The backend below reads half a gibibyte ahead; the manifest does not mention it. */
export const readsAhead: BrokenFake = brokenFake(
  'C6',
  'goes on reading from the system when no recv is in flight',
  breakWith(BrokenPort, { readAhead: 0 }),
  { supports: { readAhead: 2 ** 29 } },
);
