import type { Backend } from 'bufferevent-backend';
import { type BrokenFake, brokenFake } from './fake.js';

/** The backend below reads half a gibibyte ahead; the manifest does not mention it. */
export const readsAhead: BrokenFake = brokenFake(
  'C6',
  'goes on reading from the system when no recv is in flight',
  (below: Backend) => ({
    name: `${below.name} (broken)`,
    supports: { ...below.supports, readAhead: 0 },
    isAvailable: () => true,
    unavailabilityReason: () => null,
    createPort: (sink, options) => below.createPort(sink, options),
  }),
  { supports: { readAhead: 2 ** 29 } },
);
