import type { ConnectRace } from './connect-race.js';
import type { LookupError } from './lookup.js';
import type { StreamSettings } from './stream-options.js';

/** What a socket has of its `connect()`, the last one; those that were accepted have none. */
export class Connecting {
  race: ConnectRace | null = null;
  settings: StreamSettings | null = null;
  lookupError: LookupError | null = null;
  /** The lookup whose answer is awaited; one that was given up answers nobody. */
  lookupAttempt: object | null = null;
  onOutcome: ((error: Error | null) => void) | null = null;
}
