// Two connected bufferevents of any kind: what is laid over bufferevents is tested over each of them.
import { type Bufferevent, createPair, FilterBufferevent } from 'bufferevent';
import { fromDuplex, toDuplex } from 'bufferevent/duplex';
import { afterEach } from 'vitest';
import { socketPair, streamPair } from './streams.js';
import { sockets } from './system-backends.js';
import { turns } from './wait.js';
import { inWorlds, type World, type WorldKind } from './world.js';

export interface ConnectedPair {
  readonly left: Bufferevent;
  readonly right: Bufferevent;
}

interface PairKind {
  readonly name: string;
  readonly worlds: readonly WorldKind[];
  connect(world: World): Promise<ConnectedPair>;
}

const connectedSockets = async (world: World): Promise<ConnectedPair> => {
  const { client, server } = await world.pair({}, {});
  return { left: client, right: server };
};

const pairKinds: readonly PairKind[] = [
  { name: 'sockets', worlds: ['memory', 'memory with faults', ...sockets], connect: connectedSockets },
  {
    name: 'the halves of a pair',
    worlds: ['memory'],
    async connect(world) {
      const [left, right] = createPair(world.base);
      return { left: world.keep(left), right: world.keep(right) };
    },
  },
  {
    name: 'filters over sockets',
    worlds: sockets,
    async connect(world) {
      const { left, right } = await connectedSockets(world);
      return { left: world.keep(new FilterBufferevent(left)), right: world.keep(new FilterBufferevent(right)) };
    },
  },
  {
    name: 'streams over sockets',
    worlds: ['memory', ...sockets],
    async connect(world) {
      const { left, right } = await connectedSockets(world);
      return {
        left: world.keep(fromDuplex(toDuplex(left), world.base)),
        right: world.keep(fromDuplex(toDuplex(right), world.base)),
      };
    },
  },
  {
    name: 'streams in memory',
    worlds: ['memory'],
    async connect(world) {
      const [left, right] = streamPair();
      return { left: world.keep(fromDuplex(left, world.base)), right: world.keep(fromDuplex(right, world.base)) };
    },
  },
  {
    name: 'streams that are sockets of Node',
    worlds: sockets,
    async connect(world) {
      const [left, right] = await socketPair();
      return { left: world.keep(fromDuplex(left, world.base)), right: world.keep(fromDuplex(right, world.base)) };
    },
  },
];

/** Runs a group of tests over each kind of pair in each kind of world that it lives in. */
export function onEveryPair(body: (world: World, connect: () => Promise<ConnectedPair>) => void): void {
  for (const { name, worlds, connect } of pairKinds) {
    const group = (world: World): void => {
      // Streams tell of their end in a later turn.
      afterEach(() => turns(3));
      body(world, () => connect(world));
    };
    inWorlds(worlds, group, {}, ` between ${name}`);
  }
}
