// Two connected bufferevents of every kind, for tests that hold for all of them.
import { type Bufferevent, createPair, type EventBaseOptions, FilterBufferevent } from 'bufferevent';
import { sockets } from './system-backends.js';
import { inWorlds, type World, type WorldKind } from './world.js';

export interface Flavour {
  readonly name: string;
  readonly world: WorldKind;
  /** Two ends of one connection; reading is not enabled, and nobody is called back yet. */
  open(world: World): Promise<readonly [Bufferevent, Bufferevent]>;
}

async function connected(world: World): Promise<readonly [Bufferevent, Bufferevent]> {
  const { client, server } = await world.pair({}, {});
  return [client, server];
}

async function pair(world: World): Promise<readonly [Bufferevent, Bufferevent]> {
  return createPair(world.base);
}

function filtered(name: string, open: Flavour['open']): Flavour['open'] {
  return async (world) => {
    const [left, right] = await open(world);
    return [new FilterBufferevent(left, { name }), new FilterBufferevent(right, { name })];
  };
}

export const flavours: readonly Flavour[] = [
  { name: 'sockets over memory', world: 'memory', open: connected },
  { name: 'sockets over memory with faults', world: 'memory with faults', open: connected },
  ...sockets.map((world): Flavour => ({ name: `sockets over ${world}`, world, open: connected })),
  { name: 'pairs', world: 'memory', open: pair },
  ...sockets.map((world): Flavour => {
    return { name: 'filters over sockets', world, open: filtered('over sockets', connected) };
  }),
  { name: 'filters over filters over pairs', world: 'memory', open: filtered('upper', filtered('lower', pair)) },
];

/** A flavour in a world that is open: what a test body gets. */
export interface OpenFlavour {
  readonly name: string;
  readonly world: World;
  connect(): Promise<{ readonly near: Bufferevent; readonly far: Bufferevent }>;
}

export interface FlavourOptions {
  /** Of the event bases. */
  readonly options?: EventBaseOptions;
  readonly worlds?: readonly WorldKind[];
  readonly only?: (flavour: Flavour) => boolean;
}

/** Runs a group of tests over every flavour, or those that `worlds` and `only` leave. */
export function inEveryFlavour(
  body: (flavour: OpenFlavour) => void,
  { options, worlds, only }: FlavourOptions = {},
): void {
  for (const flavour of flavours) {
    if (worlds?.includes(flavour.world) === false || only?.(flavour) === false) continue;
    const connect = async (world: World): ReturnType<OpenFlavour['connect']> => {
      const [near, far] = await flavour.open(world);
      return { near: world.keep(near), far: world.keep(far) };
    };
    inWorlds(
      [flavour.world],
      (world) => body({ name: flavour.name, world, connect: () => connect(world) }),
      options,
      ` between ${flavour.name}`,
    );
  }
}

/** Over everything that is in memory and unharmed, where time is driven by hand. */
export function inEveryMemoryFlavour(body: (flavour: OpenFlavour) => void): void {
  inEveryFlavour(body, { worlds: ['memory'] });
}
