// Two bufferevents that are connected with each other, in every way there is.
import { type Bufferevent, createPair, type EventBaseOptions, FilterBufferevent } from 'bufferevent';
import { inWorlds, type World, type WorldKind } from './world.js';

export interface Ends {
  readonly near: Bufferevent;
  readonly far: Bufferevent;
}

/** What lies between the ends of a {@link Flavour}. */
type Kind = 'pair' | 'sockets' | 'filters over a pair' | 'filters over sockets';

export interface Flavour {
  readonly kind: Kind;
  readonly world: World;
  /** Both write and neither reads; no handlers. */
  connect(): Promise<Ends>;
}

async function connectEnds(kind: Kind, world: World): Promise<Ends> {
  if (kind === 'pair' || kind === 'filters over a pair') {
    const [near, far] = createPair(world.base);
    world.keep(near);
    world.keep(far);
    return kind === 'pair' ? { near, far } : covered(world, near, far);
  }
  const { client, server } = await world.pair({}, {});
  return kind === 'sockets' ? { near: client, far: server } : covered(world, client, server);
}

function covered(world: World, near: Bufferevent, far: Bufferevent): Ends {
  return { near: world.keep(new FilterBufferevent(near)), far: world.keep(new FilterBufferevent(far)) };
}

const all: readonly (readonly [Kind, readonly WorldKind[]])[] = [
  ['pair', ['memory']],
  ['sockets', ['memory', 'memory with faults', 'net']],
  ['filters over a pair', ['memory']],
  ['filters over sockets', ['memory', 'net']],
];

/** Runs a group of tests over every kind of connection; with `kinds`, over those only. */
export function inEveryFlavour(
  body: (flavour: Flavour) => void,
  { options, kinds, worlds }: { options?: EventBaseOptions; kinds?: readonly Kind[]; worlds?: readonly WorldKind[] } = {},
): void {
  for (const [kind, everyWorld] of all) {
    if (kinds?.includes(kind) === false) continue;
    inWorlds(
      everyWorld.filter((world) => worlds?.includes(world) !== false),
      (world) => body({ kind, world, connect: () => connectEnds(kind, world) }),
      options,
      kind,
    );
  }
}

/** Over everything that is in memory, where time is driven by hand. */
export function inEveryMemoryFlavour(body: (flavour: Flavour) => void, options?: EventBaseOptions): void {
  inEveryFlavour(body, { worlds: ['memory'], ...(options && { options }) });
}
