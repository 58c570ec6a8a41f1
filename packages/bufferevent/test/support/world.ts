// The same test bodies over every backend: a world has one event base, a place to listen, peers, and a log.

import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Backend,
  type Bufferevent,
  type BuffereventHandlers,
  type ConnectOptions,
  connect,
  EventBase,
  type EventBaseOptions,
  type Listener,
  type ListenHandlers,
  type ListenOptions,
  listen,
  type SocketBufferevent,
} from 'bufferevent';
import { createTestBase, ManualClock, type TestBase } from 'bufferevent/testing';
import { createMemoryBackend, type MemoryNetwork } from 'bufferevent-backend/memory';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { NetPeer, type Peer } from './peer.js';
import { checkBuffers, recorder } from './recorder.js';
import { type SystemBackendName, sockets, socketsWith, systemBackends } from './system-backends.js';
import { turn, until } from './wait.js';

type MemoryKind = 'memory' | 'memory with faults';
export type WorldKind = MemoryKind | SystemBackendName;

function isMemoryKind(kind: WorldKind): kind is MemoryKind {
  return kind === 'memory' || kind === 'memory with faults';
}

export class World {
  readonly kind: WorldKind;
  readonly isMemory: boolean;
  base!: EventBase;
  /** The clock of the base: driven by hand over memory, absent over sockets. */
  clock!: ManualClock;
  network!: MemoryNetwork;
  /** Without decorations: what peers use. */
  plain!: Backend;
  /** What the base uses. */
  backend!: Backend;
  log: string[] = [];
  #memory: TestBase | null = null;
  #peers: NetPeer[] = [];
  #bases: EventBase[] = [];
  #seen = new Set<Bufferevent>();
  #socketsBefore = 0;

  constructor(kind: WorldKind) {
    this.kind = kind;
    this.isMemory = isMemoryKind(kind);
  }

  open(options: EventBaseOptions = {}): void {
    this.log = [];
    this.#memory = null;
    this.#peers = [];
    this.#bases = [];
    this.#seen = new Set();
    if (isMemoryKind(this.kind)) this.#openMemory(options);
    else {
      this.#socketsBefore = openSockets();
      this.clock = new ManualClock();
      this.plain = systemBackends[this.kind];
      this.backend = this.plain;
      this.base = this.newBase(options);
    }
  }

  #openMemory(options: EventBaseOptions): void {
    const little = this.kind === 'memory with faults';
    // Little room between two ends, so that pressure is met soon; less where bytes are moved one by one.
    this.#memory = createTestBase({
      ...options,
      network: { capacity: little ? 2_048 : 16_384 },
      ...(little && { faults: { maxRecv: 1, maxSend: 7, delay: 1 } }),
    });
    this.clock = this.#memory.clock;
    this.network = this.#memory.network;
    this.plain = createMemoryBackend(this.network);
    this.backend = this.#memory.backend;
    this.base = this.#memory.base;
    this.#bases.push(this.base);
  }

  /** Another base beside the first, gone with the world. */
  newBase(options: EventBaseOptions = {}): EventBase {
    const base = new EventBase({ backend: this.backend, ...(this.isMemory && { clock: this.clock }), ...options });
    this.#bases.push(base);
    return base;
  }

  /** Disposes of everything and proves that nothing is left. */
  async close(): Promise<void> {
    for (const bev of this.#seen) checkBuffers(bev);
    await Promise.all(this.#bases.map((base) => base[Symbol.asyncDispose]()));
    await this.#memory?.[Symbol.asyncDispose]();
    await Promise.all(this.#peers.map((peer) => peer.dispose()));
    // What was queued for those that are freed now goes with the next turn.
    await turn();
    expect(this.clock.pendingTimers, 'a timer is left').toBe(0);
    for (const base of this.#bases) {
      expect(base.stats().waitingCallbacks, 'a callback is left').toBe(0);
      expect(base.stats().port, 'something of the base is left').toMatchObject({
        streams: 0,
        listeners: 0,
        pending: 0,
        leases: 0,
      });
    }
  }

  /** Two connected descriptors that nobody owns. */
  async socketPair(): Promise<readonly [number, number]> {
    if (this.isMemory) return this.network.socketPair();
    const accepted: SocketBufferevent[] = [];
    const path = `\0bufferevent-test-${process.pid}-${++paths}`;
    const onConnection = (bev: SocketBufferevent): void => void accepted.push(bev);
    const listener = await listen({ path }, { onConnection }, { base: this.base });
    const dialled = await connect({ path }, {}, { base: this.base });
    await this.until(() => accepted.length === 1, 'the other end');
    await listener.close();
    return [await givenUp(dialled), await givenUp(accepted[0] as SocketBufferevent)];
  }

  closeDescriptor(descriptor: number): void {
    if (this.isMemory) this.network.closeDescriptor(descriptor);
    else closeSync(descriptor);
  }

  /** Of sockets, beside those that were open before this world was. */
  get openDescriptors(): number {
    return this.isMemory ? this.network.openDescriptors : openSockets() - this.#socketsBefore;
  }

  /** A recorder of callbacks in this world's log. */
  record(name: string, then: BuffereventHandlers = {}): Required<BuffereventHandlers> {
    return recorder(this.log, name, then);
  }

  listen(handlers: ListenHandlers, options: ListenOptions = {}): Promise<Listener> {
    return listen({ ip: '127.0.0.1', port: 0 }, handlers, { base: this.base, ...options });
  }

  connect(listener: Listener, handlers?: BuffereventHandlers, options: ConnectOptions = {}) {
    return connect(ipOf(listener), handlers, { base: this.base, ...options }).then((bev) => this.keep(bev));
  }

  /** A peer without bufferevents, connected or about to be. */
  dial(listener: Listener): Peer {
    if (this.#memory !== null) return this.#memory.startDial(listener);
    const peer = new NetPeer(ipOf(listener));
    this.#peers.push(peer);
    return peer;
  }

  /** A connection accepted from a bare peer. Reading is enabled as `listen` does: when there is an `onRead`. */
  async accepted(handlers: BuffereventHandlers, options: ListenOptions = {}): Promise<Accepted> {
    const arrived: SocketBufferevent[] = [];
    const listener = await this.listen(
      { ...handlers, onConnection: (bev) => void arrived.push(this.keep(bev)) },
      options,
    );
    const peer = this.dial(listener);
    await this.until(() => arrived.length === 1 && peer.connected, 'the connection');
    await listener.close();
    return { bev: arrived[0] as SocketBufferevent, peer };
  }

  /** Two bufferevents of the base, connected with each other. */
  async pair(client: BuffereventHandlers, server: BuffereventHandlers, options: PairOptions = {}): Promise<Pair> {
    const arrived: SocketBufferevent[] = [];
    const listener = await this.listen(
      { ...server, onConnection: (bev) => void arrived.push(this.keep(bev)) },
      options.server,
    );
    const dialled = await this.connect(listener, client, options.client);
    await this.until(() => arrived.length === 1, 'the connection to be accepted');
    await listener.close();
    return { client: dialled, server: arrived[0] as SocketBufferevent };
  }

  /** Remembers a bufferevent, to validate its buffers at the end. */
  keep<Kind extends Bufferevent>(bev: Kind): Kind {
    this.#seen.add(bev);
    return bev;
  }

  /** So many bytes, or fewer where they are moved one by one. */
  bytes(count: number): number {
    return this.kind === 'memory with faults' ? Math.min(count, 300) : count;
  }

  until(condition: () => boolean, what: string, timeoutMs?: number): Promise<void> {
    return until(condition, what, () => this.dump(), timeoutMs);
  }

  /** Everything in memory has come to rest. Not for sockets: there one can't know. */
  async settle(): Promise<void> {
    if (this.#memory === null) throw new Error('only memory comes to rest');
    await this.#memory.settle();
  }

  /** Lets what was asked for take effect, then time pass for the base, then delivers what is due. */
  async advance(ms: number): Promise<void> {
    if (this.#memory === null) throw new Error('the time of sockets passes by itself');
    await this.#memory.advance(ms);
  }

  dump(): string {
    const stats = this.#bases.map((base) => JSON.stringify(base.stats()));
    return ['log:', ...this.log.slice(-80), 'stats:', ...stats, this.#memory?.dump() ?? ''].join('\n  ');
  }
}

let paths = 0;

/** The descriptor of a connection that lets go of it. */
async function givenUp(bev: SocketBufferevent): Promise<number> {
  const { descriptor } = bev;
  await bev.setDescriptor(-1);
  bev.free();
  return descriptor;
}

/** Sockets of this process, where the system tells. */
function openSockets(): number {
  if (process.platform !== 'linux') return 0;
  const folder = '/proc/self/fd';
  return readdirSync(folder).filter((name) => isSocket(join(folder, name))).length;
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:');
  } catch {
    return false; // The descriptor that the folder was read through.
  }
}

export interface Accepted {
  readonly bev: SocketBufferevent;
  readonly peer: Peer;
}

export interface Pair {
  readonly client: SocketBufferevent;
  readonly server: SocketBufferevent;
}

export interface PairOptions {
  readonly client?: ConnectOptions;
  readonly server?: ListenOptions;
}

export function ipOf(listener: Listener): { ip: string; port: number } {
  const { address } = listener;
  if ('path' in address) throw new Error('listens on a path');
  return address;
}

/** Runs a group of tests in each kind of world; a fresh one for each test, proved empty after it. */
export function inWorlds(
  kinds: readonly WorldKind[],
  body: (world: World) => void,
  options?: EventBaseOptions,
  between = '',
): void {
  for (const kind of kinds) {
    describe(`over ${kind}${between}`, () => {
      const world = new World(kind);
      beforeEach(() => world.open(options));
      afterEach(() => world.close());
      body(world);
    });
  }
}

export function onEveryBackend(body: (world: World) => void, options?: EventBaseOptions): void {
  inWorlds(['memory', 'memory with faults', ...sockets], body, options);
}

/** Where connections have descriptors that can be taken and given away. */
export function whereDescriptors(body: (world: World) => void): void {
  inWorlds(['memory', 'memory with faults', ...socketsWith('descriptors')], body);
}

/** For what needs the clock driven by hand, chosen pieces, or proof that nothing happens. */
export function inMemory(body: (world: World) => void, options?: EventBaseOptions): void {
  inWorlds(['memory'], body, options);
}

/** Where pieces and turns do not matter but time or quiet does. */
export function inBothMemories(body: (world: World) => void, options?: EventBaseOptions): void {
  inWorlds(['memory', 'memory with faults'], body, options);
}
