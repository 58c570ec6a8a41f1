import type { MemoryNetwork } from 'bufferevent-backend/memory';
import type { EventBase } from '../event-base.js';

/** Code between two bytes may take a few turns of its own: an immediate, a chain of promises, a delayed completion. */
const QUIET_TURNS = 10;

/** What is not at rest by then answers itself for ever. */
const MAX_TURNS = 100_000;

/** @internal The next turn of the process's loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** @internal Resolves when nothing has moved in the network, and no callback waited in `bases`, for some turns in a row. */
export async function settle(network: MemoryNetwork, bases: readonly EventBase[]): Promise<void> {
  let quiet = 0;
  for (let turns = 0; quiet < QUIET_TURNS; turns++) {
    if (turns === MAX_TURNS) throw new Error(`the network in memory did not come to rest within ${MAX_TURNS} turns`);
    await turn();
    const moved = network.step();
    const busy = moved || bases.some((base) => base.stats().waitingCallbacks > 0);
    quiet = busy ? 0 : quiet + 1;
  }
}
