import { BrokenPort, breakWith } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** The backend below loses unread bytes with a failed send; the manifest claims that it does not. */
export const errorDropsBytes: BrokenFake = brokenFake(
  'C18',
  'destroys the stream when a send fails, with the bytes that were not read',
  breakWith(BrokenPort, { readAfterWriteError: true }),
  { supports: { readAfterWriteError: false } },
);
