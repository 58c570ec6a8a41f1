// Where TLS connections are made for a test: a backend, an event base, and connections that are plain at first.
import { closeSync } from 'node:fs';
import { type Bufferevent, connect, EventBase, listen, type SocketBufferevent } from 'bufferevent';
import { createTestBase, ManualClock, type TestBase } from 'bufferevent/testing';
import type { Backend } from 'bufferevent-backend';
import type { FaultPlan } from 'bufferevent-backend/memory';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { OpensslBufferevent, type OpensslOptions, type Ssl, type TlsState } from '../../src/index.js';
import { systemBackends } from './system-backends.js';
import { turn, until } from './wait.js';

export type Kind = 'socket' | 'filter';

/** An address of its own for each listener. */
export const loopback = { ip: '127.0.0.1', port: 0 } as const;

interface Made {
  readonly memory: TestBase | null;
  readonly base: EventBase;
  readonly clock: ManualClock;
}

/** One event base; fresh for each test, and shown to be empty after it. */
export class Bed {
  readonly name: string;
  readonly #make: () => Made;
  #memory: TestBase | null = null;
  base!: EventBase;
  /** Stands still until it is driven. */
  clock!: ManualClock;

  private constructor(name: string, make: () => Made) {
    this.name = name;
    this.#make = make;
  }

  static inMemory(name: string, faults?: FaultPlan): Bed {
    return new Bed(name, () => {
      const memory = createTestBase({ network: { capacity: 16_384 }, ...(faults !== undefined && { faults }) });
      return { memory, base: memory.base, clock: memory.clock };
    });
  }

  static over(backend: Backend): Bed {
    return new Bed(backend.name, () => {
      const clock = new ManualClock();
      return { memory: null, base: new EventBase({ backend, clock }), clock };
    });
  }

  open(): void {
    const { memory, base, clock } = this.#make();
    this.#memory = memory;
    this.base = base;
    this.clock = clock;
  }

  async close(): Promise<void> {
    await this.base[Symbol.asyncDispose]();
    await this.#memory?.[Symbol.asyncDispose]();
    await turn();
    const { streams, listeners, pending, leases } = this.base.stats().port;
    expect({ streams, listeners, pending, leases }).toEqual({ streams: 0, listeners: 0, pending: 0, leases: 0 });
    expect(this.clock.pendingTimers).toBe(0);
  }

  /** In memory only: lets everything come to rest, then time pass. */
  async advance(ms: number): Promise<void> {
    await (this.#memory as TestBase).advance(ms);
  }

  settle(): Promise<void> {
    return (this.#memory as TestBase).settle();
  }

  /** Two connected bufferevents, as new. */
  async plainPair(): Promise<readonly [SocketBufferevent, SocketBufferevent]> {
    const arrived: SocketBufferevent[] = [];
    const onConnection = (bev: SocketBufferevent): void => void arrived.push(bev);
    const listener = await listen(loopback, { onConnection }, { base: this.base });
    const near = await connect(listener.address as { ip: string; port: number }, undefined, { base: this.base });
    await until(() => arrived.length === 1, 'the other end');
    await listener.close();
    const far = arrived[0] as SocketBufferevent;
    far.setHandlers(null);
    return [near, far];
  }

  /** Two connected descriptors that nobody owns. */
  async socketPair(): Promise<readonly [number, number]> {
    if (this.#memory !== null) return this.#memory.network.socketPair();
    const [near, far] = await this.plainPair();
    return [await givenUp(near), await givenUp(far)];
  }

  closeDescriptor(descriptor: number): void {
    if (this.#memory !== null) this.#memory.network.closeDescriptor(descriptor);
    else closeSync(descriptor);
  }

  /** What two TLS connections of the kind are made on: descriptors, or bufferevents. */
  async transports(kind: Kind): Promise<readonly [Transport, Transport]> {
    return kind === 'socket' ? await this.socketPair() : await this.plainPair();
  }

  secure(transport: Transport, ssl: Ssl, state: TlsState, options?: OpensslOptions): OpensslBufferevent {
    if (typeof transport === 'number') return OpensslBufferevent.socket(this.base, transport, ssl, state, options);
    return OpensslBufferevent.filter(transport, ssl, state, options);
  }
}

export type Transport = number | Bufferevent;

async function givenUp(bev: SocketBufferevent): Promise<number> {
  const { descriptor } = bev;
  await bev.setDescriptor(-1);
  bev.free();
  return descriptor;
}

/** One in memory, one with short reads and writes, and those over sockets of the system. */
export const beds: readonly Bed[] = [
  Bed.inMemory('memory'),
  Bed.inMemory('memory with faults', { maxRecv: 137, maxSend: 250, delay: 1 }),
  ...systemBackends.map((backend) => Bed.over(backend)),
];

/** The kinds that can be made there: sockets are made of descriptors. */
export function kindsOf(bed: Bed): readonly Kind[] {
  return bed.name === 'net' ? ['filter'] : ['socket', 'filter'];
}

/** Runs a group of tests in each bed. */
export function inBeds(chosen: readonly Bed[], body: (bed: Bed) => void): void {
  for (const bed of chosen) {
    describe(`over ${bed.name}`, () => {
      beforeEach(() => bed.open());
      afterEach(() => bed.close());
      body(bed);
    });
  }
}
