import assert, { AssertionError } from 'node:assert/strict';
import type { Bufferevent } from '../bufferevent.js';
import {
  DEFAULT_BULK_BYTES,
  DEFAULT_SCRIPTS,
  DEFAULT_TIMEOUT_MS,
  DEFAULT_TRANSIT_BYTES,
  type Flavour,
  type OpenOptions,
  type Setting,
} from './flavour.js';
import { Probe } from './probe.js';

/** A connection under test. */
export interface Pair extends Stage {
  readonly a: Probe;
  readonly b: Probe;
}

/** A connection that is yet to be made. */
export interface Dialling extends Stage {
  readonly a: Probe;
  connect(): void;
  /** The other end; waits for it. */
  accepted(): Promise<Probe>;
}

interface Stage {
  /** See {@link Setting.settle}. */
  settle(): Promise<void>;
  /** Lets what is due happen, then time pass by hand, then what has become due happen. Needs `supports.clock`. */
  advance(ms: number): Promise<void>;
  /** Timers that are set. Needs `supports.clock`. */
  timers(): number;
}

/** What one case works with. Everything made through it is closed and checked when the case ends. */
export class CaseContext {
  readonly flavour: Flavour;
  readonly #settings: Setting[] = [];
  readonly #probes: Probe[] = [];

  constructor(flavour: Flavour) {
    this.flavour = flavour;
  }

  get bulkBytes(): number {
    return this.flavour.bulkBytes ?? DEFAULT_BULK_BYTES;
  }

  get transitBytes(): number {
    return this.flavour.transitBytes ?? DEFAULT_TRANSIT_BYTES;
  }

  get scripts(): number {
    return this.flavour.scripts ?? DEFAULT_SCRIPTS;
  }

  get timeoutMs(): number {
    return this.flavour.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  /** A new connection. */
  async open(options?: OpenOptions): Promise<Pair> {
    const ends = await this.flavour.open(options);
    this.#settings.push(ends);
    return { ...this.#stage(ends), a: this.#probe('a', ends.a), b: this.#probe('b', ends.b) };
  }

  /** An end that is not connected. Needs `dial`. */
  async dial(outcome: 'accepted' | 'refused', options?: OpenOptions): Promise<Dialling> {
    const { dial } = this.flavour;
    assert.ok(dial !== undefined, 'a case uses dial and does not require it');
    const dialled = await dial.call(this.flavour, outcome, options);
    this.#settings.push(dialled);
    return {
      ...this.#stage(dialled),
      a: this.#probe('a', dialled.a),
      connect: () => dialled.connect(),
      accepted: async () => {
        await this.until(() => dialled.b !== null, 'the connection to be accepted');
        return this.#probe('b', dialled.b as Bufferevent);
      },
    };
  }

  /** Turns the loop until `done` answers true; fails when that takes too long. */
  async until(done: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + this.timeoutMs;
    while (!done()) {
      if (performance.now() > deadline) this.#fail(`waited ${this.timeoutMs} ms for ${what}`);
      await turn();
    }
  }

  /** The value of a promise; fails when it takes too long. */
  within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    return awaitedLater(this.#within(promise, what));
  }

  /** The error that a promise rejects with; fails when it is fulfilled or takes too long. */
  rejection(promise: Promise<unknown>, what: string): Promise<Error & { code?: string }> {
    return awaitedLater(this.#rejection(promise, what));
  }

  /** Fails unless a promise is still waiting after everything that is due. */
  async pending(pair: Stage, promise: Promise<unknown>, what: string): Promise<void> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    promise.then(settle, settle);
    await pair.settle();
    if (settled) this.#fail(`${what} did not wait`);
  }

  /** Violations of what holds always, over all ends of the case. */
  get violations(): readonly string[] {
    return this.#probes.flatMap((probe) => probe.violations);
  }

  /** Ends the case: closes every connection. Nothing of it may be left. */
  async finish(): Promise<void> {
    for (const probe of this.#probes) probe.checkBuffers();
    for (const setting of this.#settings) await setting.close();
    // What waited for this turn is dropped in it.
    await turn();
    for (const { clock } of this.#settings) {
      if (clock !== undefined) assert.equal(clock.pendingTimers, 0, 'TO-7: a timer is left');
    }
    for (const { bev } of this.#probes) {
      assert.ok(bev.freed, 'B67: an end outlives its base');
      const { waitingCallbacks, port } = bev.base.stats();
      const { streams, listeners, pending, leases } = port;
      const left = { waitingCallbacks, streams, listeners, pending, leases };
      const none = { waitingCallbacks: 0, streams: 0, listeners: 0, pending: 0, leases: 0 };
      assert.deepEqual(left, none, 'B62: something of the base is left');
    }
  }

  async #within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    promise.then(settle, settle);
    await this.until(() => settled, what);
    return promise;
  }

  async #rejection(promise: Promise<unknown>, what: string): Promise<Error & { code?: string }> {
    const outcome = promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    const settled = await this.#within(outcome, what);
    if ('value' in settled) this.#fail(`${what} was fulfilled with ${String(settled.value)}`);
    return settled.error as Error & { code?: string };
  }

  #stage(setting: Setting): Stage {
    const clock = () => {
      assert.ok(setting.clock !== undefined, 'a case uses the clock and does not require it');
      return setting.clock;
    };
    return {
      settle: () => setting.settle(),
      async advance(ms) {
        await setting.settle();
        clock().advance(ms);
        await setting.settle();
      },
      timers: () => clock().pendingTimers,
    };
  }

  #probe(name: string, bev: Bufferevent): Probe {
    const probe = new Probe(name, bev);
    this.#probes.push(probe);
    return probe;
  }

  #fail(what: string): never {
    throw new AssertionError({ message: [what, ...this.#probes.slice(-2).map((probe) => probe.dump())].join('\n  ') });
  }
}

/** A case may await it after something else fails, or never: then the first failure is the one to see. */
function awaitedLater<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

/** One turn of the event loop: everything that is ready is polled before it resolves. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
