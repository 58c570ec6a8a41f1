import type { Address, Backend, IpAddress } from 'bufferevent-backend';
import {
  createMemoryBackend,
  type FaultPlan,
  MemoryNetwork,
  type MemoryNetworkOptions,
  type TracedBackend,
  withFaults,
  withTrace,
} from 'bufferevent-backend/memory';
import { checkInteger, checkLimit } from '../arguments.js';
import { type ConnectOptions, connect } from '../connect.js';
import { EventBase, type EventBaseOptions } from '../event-base.js';
import type { BuffereventHandlers } from '../events.js';
import { type ListenOptions, listen } from '../listen.js';
import type { Listener, ListenHandlers } from '../listener.js';
import type { SocketBufferevent } from '../socket-bufferevent.js';
import { ManualClock } from './manual-clock.js';
import type { PeerListener } from './peer-listener.js';
import { PeerPort } from './peer-port.js';
import type { ScriptedPeer } from './scripted-peer.js';
import { settle } from './settle.js';

export interface TestBaseOptions extends Omit<EventBaseOptions, 'backend' | 'clock'> {
  /** The network in memory: how much fits between two ends, which hosts there are, … */
  readonly network?: Omit<MemoryNetworkOptions, 'scheduling'>;
  /** What goes wrong below the base, but not below the peers: short sends, single bytes, errors. Default: nothing. */
  readonly faults?: FaultPlan;
  /** The real time that an expectation of a peer waits at most, in milliseconds; `Infinity` for ever. Default 2000. */
  readonly guardMs?: number;
}

/** What `dump()` remembers. */
const TRACED_OPERATIONS = 40;

const loopback: IpAddress = { ip: '127.0.0.1', port: 0 };

/** An event base in a world of its own: a network in memory, a clock that is driven by hand, and scripted peers. */
export class TestBase implements AsyncDisposable {
  readonly base: EventBase;
  readonly clock: ManualClock = new ManualClock();
  readonly network: MemoryNetwork;
  /** The backend of the base, for other bases on the same network. */
  readonly backend: Backend;
  readonly #trace: TracedBackend;
  readonly #peers: PeerPort;

  /** @internal */
  constructor(options: TestBaseOptions) {
    const { network, faults, guardMs = 2_000, ...baseOptions } = options;
    checkLimit('guardMs', guardMs, 0);
    this.network = new MemoryNetwork(network);
    const plain = createMemoryBackend(this.network);
    this.#trace = withTrace(faults === undefined ? plain : withFaults(plain, faults), { capacity: TRACED_OPERATIONS });
    this.backend = this.#trace;
    this.base = new EventBase({ ...baseOptions, backend: this.backend, clock: this.clock });
    this.#peers = new PeerPort(plain, { guardMs, settle: () => this.settle() });
  }

  /** Listens with the code under test; {@link dial} connects peers to it. Default address: a free port of 127.0.0.1. */
  listen(handlers: ListenHandlers, options: ListenOptions & { readonly address?: Address } = {}): Promise<Listener> {
    const { address = loopback, ...listenOptions } = options;
    return listen(address, handlers, { ...listenOptions, base: this.base });
  }

  /** A peer that is connected to a listener, or to an address. Rejects with the system's error (`ECONNREFUSED`, …). */
  async dial(target: Listener | Address): Promise<ScriptedPeer> {
    const peer = this.startDial(target);
    await peer.ready;
    return peer;
  }

  /** A peer that is about to connect; what it is told meanwhile is done when it has. `peer.ready` tells the outcome. */
  startDial(target: Listener | Address): ScriptedPeer {
    return this.#peers.dial('address' in target ? target.address : target);
  }

  /** Where peers wait for what the code under test connects to. Rejects with the system's error (`EADDRINUSE`, …). */
  async listenAsPeer(address: IpAddress = loopback): Promise<PeerListener> {
    const listener = this.#peers.listen(address);
    await listener.ready;
    return listener;
  }

  /** A connection that the base made, and its far end. */
  async connect(
    handlers?: BuffereventHandlers,
    options: ConnectOptions = {},
  ): Promise<[SocketBufferevent, ScriptedPeer]> {
    const listener = await this.listenAsPeer();
    const pair = await Promise.all([
      connect(listener.address, handlers, { ...options, base: this.base }),
      listener.accept(),
    ]);
    listener.close();
    return pair;
  }

  /** A connection that the base accepted, and its far end. `onConnection` has run. */
  async accept(handlers: ListenHandlers, options: ListenOptions = {}): Promise<[SocketBufferevent, ScriptedPeer]> {
    let onAccepted: (bev: SocketBufferevent) => void;
    const accepted = new Promise<SocketBufferevent>((resolve) => {
      onAccepted = resolve;
    });
    const listener = await this.listen(
      {
        ...handlers,
        onConnection(bev, from) {
          onAccepted(bev);
          handlers.onConnection?.(bev, from);
        },
      },
      options,
    );
    const peer = await this.dial(listener);
    const bev = await accepted;
    await listener.close();
    return [bev, peer];
  }

  /**
   * Resolves when everything in memory has come to rest: bytes have arrived, callbacks and what they `await` in memory
   * have run. Proves that something does not happen. Time stands still.
   */
  settle(): Promise<void> {
    return settle(this.network, [this.base]);
  }

  /** Lets time pass: every timer that is due on the way fires at its own time, and everything settles before the next. */
  async advance(ms: number): Promise<void> {
    checkInteger('ms', ms, 0);
    await this.settle();
    const until = this.clock.now() + ms;
    for (let next = this.clock.nextTimerAt; next <= until; next = this.clock.nextTimerAt) {
      this.clock.advance(next - this.clock.now());
      await this.settle();
    }
    this.clock.advance(until - this.clock.now());
    await this.settle();
  }

  /** What is open in the base, and the last operations of its port, oldest first: for the message of a failing test. */
  dump(): string {
    return [JSON.stringify(this.base.stats()), this.#trace.dump()].join('\n');
  }

  /** Frees every connection, listener and peer. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.base[Symbol.asyncDispose]();
    await this.#peers.dispose();
  }
}

/**
 * Makes a base for tests of what is built on bufferevents: no sockets, no sleeps, the same in each run. Dispose of it at
 * the end of the test (`await using`). Throws `TypeError`/`RangeError` for malformed options.
 */
export function createTestBase(options: TestBaseOptions = {}): TestBase {
  return new TestBase(options);
}
