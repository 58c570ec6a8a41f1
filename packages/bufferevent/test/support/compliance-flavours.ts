// Kinds of connections for the compliance suite that are made of others.
import {
  type Bufferevent,
  createPair,
  type Evbuffer,
  EventBase,
  FilterBufferevent,
  type FilterFunction,
} from 'bufferevent';
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

/** Either end of another flavour under something of `cover`. */
export function covered(name: string, flavour: Flavour, cover: (bev: Bufferevent) => Bufferevent): Flavour {
  const { dial: _, ...others } = flavour;
  return {
    ...others,
    name: `${name} over ${flavour.name}`,
    // What the two at either end hold besides: the marks of the input and the output of those below.
    transitBytes: (flavour.transitBytes ?? 16 * 1024 * 1024) + 2 * 320 * 1024,
    async open(options) {
      const { a, b, ...setting } = await flavour.open(options);
      return { ...setting, a: cover(a), b: cover(b) };
    },
  };
}

/** Every bit turned over, on either way. */
const turnOver: FilterFunction = (source: Evbuffer, target: Evbuffer, limit: number) => {
  const count = Math.min(source.length, limit);
  if (count === 0) return 'need-more';
  target.add(source.remove(count).map((byte) => byte ^ 0xff));
  return 'ok';
};

export const passingFilter = (bev: Bufferevent): Bufferevent => new FilterBufferevent(bev);

export const turningFilter = (bev: Bufferevent): Bufferevent =>
  new FilterBufferevent(bev, { input: turnOver, output: turnOver });
