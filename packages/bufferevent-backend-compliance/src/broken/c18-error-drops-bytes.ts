import type { Backend } from 'bufferevent-backend';
import { type BrokenFake, brokenFake } from './fake.js';

/** The backend below loses unread bytes with a failed send; the manifest claims that it does not. */
export const errorDropsBytes: BrokenFake = brokenFake(
  'C18',
  'destroys the stream when a send fails, with the bytes that were not read',
  (below: Backend) => ({
    name: `${below.name} (broken)`,
    supports: { ...below.supports, readAfterWriteError: true },
    isAvailable: () => true,
    unavailabilityReason: () => null,
    createPort: (sink, options) => below.createPort(sink, options),
  }),
  { supports: { readAfterWriteError: false } },
);
