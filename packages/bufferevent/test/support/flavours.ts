// Two connected bufferevents of every kind, for tests that hold for all of them.
import { type Bufferevent, createPair, FilterBufferevent } from 'bufferevent';
import type { World, WorldKind } from './world.js';

export interface Flavour {
  readonly name: string;
  readonly world: WorldKind;
  /** Two ends of one connection; reading is not enabled, and nobody is called back yet. */
  open(world: World): Promise<readonly [Bufferevent, Bufferevent]>;
}

async function sockets(world: World): Promise<readonly [Bufferevent, Bufferevent]> {
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
  { name: 'sockets over memory', world: 'memory', open: sockets },
  { name: 'sockets over memory with faults', world: 'memory with faults', open: sockets },
  { name: 'sockets over net', world: 'net', open: sockets },
  { name: 'pairs', world: 'memory', open: pair },
  { name: 'filters over sockets', world: 'net', open: filtered('over sockets', sockets) },
  { name: 'filters over filters over pairs', world: 'memory', open: filtered('upper', filtered('lower', pair)) },
];
