import {
  argumentRangeError,
  argumentTypeError,
  type Backend,
  type CompletionBatch,
  CountedHold,
  checkOptionNames,
  type Handle,
  type Listed,
  type Operation,
  type OptionNames,
  type Port,
  type PortStats,
  ProcessHold,
  Roster,
  surface,
} from 'bufferevent-backend';
import { netBackend } from 'bufferevent-net';
import { checkBoolean, checkInteger, checkLimit, checkObject } from './arguments.js';
import { HandlerContext } from './async-context.js';
import { type Clock, systemClock } from './clock.js';
import { type CallbackSource, DeferredQueue } from './defer.js';
import { BuffereventError, disposedError } from './errors.js';
import { Fifo } from './fifo.js';
import { type Limits, resolveLimits } from './limits.js';
import { type Lookup, systemLookup } from './lookup.js';
import { OwnerTable } from './owner-table.js';
import { TimerQueue } from './timer-queue.js';

export interface EventBaseOptions {
  /** The mechanism. Default `bufferevent-net`. */
  readonly backend?: Backend;
  /** Default: the system's monotonic clock. */
  readonly clock?: Clock;
  /**
   * Run handlers in the asynchronous context captured with them (`AsyncLocalStorage`). Default true; `false` leaves
   * handlers in whatever context the loop is in. The handlers of a listener share one context, and run in it one after
   * another: change it for a part of a handler with `run()`, never with `enterWith()`.
   */
  readonly asyncContext?: boolean;
  /** Defaults for the connections of this base. */
  readonly limits?: Partial<Limits>;
  /** Levels of urgency among callbacks, see `bev.priority`; at most 256, as each has a queue. Default 1. */
  readonly priorities?: number;
  /** Connections whose callbacks run in one turn; the rest wait for the next (CB-7). Default 1024. */
  readonly callbacksPerTurn?: number;
  /** Time after which a turn lets the loop look at I/O and timers again. Default 20 ms. */
  readonly turnTimeMs?: number;
  /** How host names become addresses. Default: Node's resolver (`dns.lookup`). */
  readonly lookup?: Lookup;
}

export interface EventBaseStats {
  /** Connections, listeners, and attempts to make one, that hold something open or wait for something. */
  readonly members: number;
  /** Connections and listeners whose callbacks wait for the next turn. */
  readonly waitingCallbacks: number;
  readonly port: PortStats;
}

/** @internal Whoever submitted operations on a handle; told of their completions until it lets the handle go. */
export interface CompletionOwner {
  onCompletion(operation: Operation, result: number, batch: CompletionBatch, index: number): void;
}

/** @internal A connection or listener that holds something open, or waits for something. */
export interface Member extends Listed {
  /** The base is being disposed of: let go of everything, at once. */
  abandon(): void;
}

/** @internal Compares what it wants with what is in flight, and submits or cancels the difference. */
export interface Reconciler {
  reconcile(): void;
}

/**
 * Holds one port of a backend, the clock, the queue of user callbacks and the defaults. One per thread; everything that
 * belongs to a base stays in its thread.
 *
 * A turn of a base, begun by completions or a timer, has three steps:
 *
 *     completions ─► buffers change, callbacks are queued
 *     callbacks   ─► users read, write, enable, free           (bounded, see {@link DeferredQueue})
 *     reconcile   ─► every connection touched submits what it now wants, once; one flush of the port
 *
 * What users do outside a turn is reconciled when the microtasks that run are done (a tick of Node's), so that a loop of
 * `await`s that writes a hundred answers sends them together. Microtasks, and with them `await` in handlers, go on after
 * the turn, not between two callbacks.
 */
export class EventBase {
  static #default: EventBase | null = null;

  readonly backend: Backend;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Levels of urgency: 0, the most urgent, to `priorities - 1`. What nobody sets is in the middle. */
  readonly priorities: number;
  /** @internal */
  readonly port: Port;
  /** @internal */
  readonly timers: TimerQueue;
  /** @internal */
  readonly lookup: Lookup;
  readonly #asyncContext: boolean;
  readonly #owners: OwnerTable = new OwnerTable();
  readonly #members = new Roster<Member>();
  readonly #deferred: DeferredQueue;
  readonly #dirty = new Fifo<Reconciler>();
  readonly #process = new ProcessHold();
  /**
   * Who waits for nothing but time, with no operation in flight that would keep the process alive. The clock does not: it is
   * injected, and its timers keep nobody.
   */
  readonly #hold = new CountedHold((on) => this.#process.set(on));
  #turnDepth = 0;
  /** A step of a turn runs that is not the user's. The first who asks in it for the time reads it for all of it. */
  #inStep = false;
  #stepNow: number | null = null;
  #turnDeferred = false;
  #tickQueued = false;
  #disposal: Promise<void> | null = null;

  constructor(options: EventBaseOptions = {}) {
    checkOptions(options);
    this.backend = options.backend ?? netBackend;
    const reason = this.backend.unavailabilityReason();
    if (reason !== null) {
      throw new BuffereventError(
        'ERR_BUFFEREVENT_UNSUPPORTED',
        `backend ${this.backend.name} is not available: ${reason}`,
      );
    }
    this.clock = options.clock ?? systemClock;
    this.timers = new TimerQueue(this.clock, this.inTurn.bind(this));
    this.limits = resolveLimits(options.limits);
    this.lookup = options.lookup ?? systemLookup;
    this.#asyncContext = options.asyncContext ?? true;
    this.priorities = options.priorities ?? 1;
    this.#deferred = new DeferredQueue(
      this.priorities,
      options.callbacksPerTurn ?? 1024,
      options.turnTimeMs ?? 20,
      this.clock.now.bind(this.clock),
    );
    this.port = this.backend.createPort(this.#onCompletions);
  }

  /** The base that `connect()` and `listen()` share unless given one; made at first use, over `bufferevent-net`. */
  static get default(): EventBase {
    EventBase.#default ??= new EventBase();
    return EventBase.#default;
  }

  /** @internal */
  get defaultPriority(): number {
    return Math.floor(this.priorities / 2);
  }

  stats(): EventBaseStats {
    return { members: this.#members.size, waitingCallbacks: this.#deferred.length, port: this.port.stats() };
  }

  /** Lets what is pending keep the process alive (the default). */
  ref(): void {
    if (this.disposed) return;
    this.port.ref();
    this.#hold.setReferenced(true);
  }

  /** Lets the process exit although something is pending. */
  unref(): void {
    if (this.disposed) return;
    this.port.unref();
    this.#hold.setReferenced(false);
  }

  /** Frees every connection and listener of this base, abruptly, then the port. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    if (EventBase.#default === this) EventBase.#default = null;
    for (const member of this.#members.all()) member.abandon();
    this.#process.dispose();
    await this.port[Symbol.asyncDispose]();
  }

  /** @internal */
  get disposed(): boolean {
    return this.#disposal !== null;
  }

  /** @internal The current time; read once for all completions, and once for all reconciliations, of a turn. */
  now(): number {
    if (!this.#inStep) return this.clock.now();
    this.#stepNow ??= this.clock.now();
    return this.#stepNow;
  }

  /** @internal */
  captureContext(): HandlerContext | null {
    return this.#asyncContext ? new HandlerContext() : null;
  }

  /** @internal Throws `ERR_BUFFEREVENT_CLOSED` after disposal. */
  enter(member: Member): void {
    if (this.disposed) throw disposedError();
    this.#members.add(member);
  }

  /** @internal */
  leave(member: Member): void {
    this.#members.delete(member);
  }

  /** @internal So many more wait for nothing but time, or fewer: keeps the process alive for them. */
  hold(change: number): void {
    this.#hold.add(change);
  }

  /** @internal */
  own(handle: Handle, owner: CompletionOwner): void {
    this.#owners.set(handle, owner);
  }

  /** @internal */
  disown(handle: Handle): void {
    this.#owners.delete(handle);
  }

  /** @internal Runs `step` as the first part of a turn, or inside the one that runs. */
  inTurn(step: () => void): void {
    this.#beginTurn();
    try {
      step();
    } catch (error) {
      surface(error);
    }
    this.#endTurn();
  }

  /** @internal Queues user callbacks; the source sees to it that it is queued once. */
  defer(source: CallbackSource): void {
    this.#deferred.push(source);
    if (this.#turnDepth === 0) this.#deferTurn();
  }

  /** @internal Queues a reconciliation for the end of the turn; the reconciler sees to it that it is queued once. */
  markDirty(reconciler: Reconciler): void {
    this.#dirty.push(reconciler);
    if (this.#turnDepth === 0 && !this.#tickQueued) {
      this.#tickQueued = true;
      process.nextTick(this.#onTick);
    }
  }

  readonly #onCompletions = (batch: CompletionBatch): void => {
    this.#beginTurn();
    for (let index = 0; index < batch.length; index++) {
      try {
        this.#owners.get(batch.handle(index))?.onCompletion(batch.operation(index), batch.result(index), batch, index);
      } catch (error) {
        surface(error);
      }
    }
    this.#endTurn();
  };

  readonly #onDeferredTurn = (): void => {
    this.#turnDeferred = false;
    this.#beginTurn();
    this.#endTurn();
  };

  readonly #onTick = (): void => {
    this.#tickQueued = false;
    this.#reconcile();
  };

  #beginTurn(): void {
    if (this.#turnDepth++ === 0) this.#inStep = true;
  }

  #endTurn(): void {
    try {
      if (this.#turnDepth === 1) this.#finishTurn();
    } finally {
      this.#turnDepth--;
    }
  }

  #finishTurn(): void {
    try {
      if (this.#deferred.length > 0) {
        this.#endStep();
        this.#deferred.run();
        this.#inStep = true;
      }
      this.#reconcile();
    } finally {
      this.#endStep();
      if (this.#deferred.length > 0) this.#deferTurn();
    }
  }

  #endStep(): void {
    this.#inStep = false;
    this.#stepNow = null;
  }

  #deferTurn(): void {
    if (this.#turnDeferred) return;
    this.#turnDeferred = true;
    this.clock.defer(this.#onDeferredTurn);
  }

  #reconcile(): void {
    let reconciler = this.#dirty.shift();
    if (reconciler === undefined) return;
    for (; reconciler !== undefined; reconciler = this.#dirty.shift()) {
      try {
        reconciler.reconcile();
      } catch (error) {
        surface(error);
      }
    }
    if (!this.disposed) this.port.flush();
  }
}

/** As many as libevent has. */
const MAX_PRIORITIES = 256;

const optionNames: OptionNames<EventBaseOptions> = {
  backend: true,
  clock: true,
  asyncContext: true,
  limits: true,
  priorities: true,
  callbacksPerTurn: true,
  turnTimeMs: true,
  lookup: true,
};

function checkOptions(options: EventBaseOptions): void {
  checkObject('options', options);
  checkOptionNames('options', options, optionNames);
  const { backend, clock, lookup, asyncContext, priorities = 1, callbacksPerTurn = 1, turnTimeMs = 1 } = options;
  checkInteger('priorities', priorities, 1);
  if (priorities > MAX_PRIORITIES) throw argumentRangeError('priorities', `at most ${MAX_PRIORITIES}`, priorities);
  checkBoolean('asyncContext', asyncContext);
  if (backend !== undefined && typeof backend?.createPort !== 'function') {
    throw argumentTypeError('backend', 'a Backend', backend);
  }
  if (clock !== undefined && typeof clock?.now !== 'function') throw argumentTypeError('clock', 'a Clock', clock);
  if (lookup !== undefined && typeof lookup !== 'function') throw argumentTypeError('lookup', 'a function', lookup);
  checkLimit('callbacksPerTurn', callbacksPerTurn, 1);
  checkLimit('turnTimeMs', turnTimeMs, 1);
}

/** @internal Throws `TypeError` unless `value` is an event base, also one of another copy of this package. */
export function checkBase(value: unknown): void {
  if (typeof (value as EventBase | null)?.inTurn !== 'function') throw argumentTypeError('base', 'an EventBase', value);
}
