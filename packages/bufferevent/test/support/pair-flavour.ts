// Kinds of connections for the compliance suite, besides sockets.
import { createPair, EventBase } from 'bufferevent';
import type { Ends, Flavour } from 'bufferevent/compliance';
import { ManualClock } from 'bufferevent/testing';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { turns } from './wait.js';

/** Two halves without a transport between them. */
export const pairFlavour: Flavour = {
  name: 'pairs',
  supports: { clock: true, halfClose: true, abruptClose: true, files: true },
  transitBytes: 0,
  async open({ limits = {} } = {}): Promise<Ends> {
    const clock = new ManualClock();
    const base = new EventBase({ backend: createMemoryBackend(), clock, limits });
    const [a, b] = createPair(base);
    return { a, b, clock, settle: () => turns(), close: () => base[Symbol.asyncDispose]() };
  },
};
