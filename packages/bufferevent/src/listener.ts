import {
  type Address,
  Errno,
  type Handle,
  Operation,
  type ListenOptions as PortListenOptions,
  surface,
  systemError,
} from 'bufferevent-backend';
import { checkDirections, checkHandlers, checkInteger, checkLimit, connectionHandlers } from './arguments.js';
import type { HandlerContext } from './async-context.js';
import { type Deferred, withResolvers } from './deferred-promise.js';
import { disposedError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { BuffereventHandlers, Direction } from './events.js';
import { SocketBufferevent } from './socket-bufferevent.js';

/** One object for a listener and for all connections that it accepts. */
export interface ListenHandlers extends BuffereventHandlers {
  /** A connection was accepted; runs before every other callback of `bev`. */
  onConnection?(bev: SocketBufferevent, listener: Listener): void;
  /** Accepting failed (`EMFILE`, …): once per episode; accepting goes on by itself when it can (LI-3). */
  onListenerError?(error: Error, listener: Listener): void;
}

export interface ListenerOptions extends PortListenOptions {
  /** Start without accepting; connections wait in the backlog until `enable()`. Default false. */
  readonly disabled?: boolean;
  /** Stop accepting while so many accepted connections are open; more wait in the backlog. Default: no limit. */
  readonly maxConnections?: number;
  /** What to enable on accepted connections. Default: writing, and reading when there is an `onRead`. */
  readonly enable?: readonly Direction[];
}

/** Connections asked for at a time. */
const ACCEPT_CREDITS = 256;

/** Accepts connections on one bound address and hands each out as a {@link SocketBufferevent}. Made by `listen()`. */
export class Listener implements AsyncDisposable {
  readonly base: EventBase;
  readonly #handle: Handle;
  readonly #requested: Address;
  readonly #enable: readonly Direction[] | undefined;
  readonly #maxConnections: number;
  #handlers: ListenHandlers | null;
  #context: HandlerContext | null;
  #enabled: boolean;
  #bound = false;
  #closed = false;
  /** Accepted, not yet handed out. */
  readonly #parked: Handle[] = [];
  readonly #errors: Error[] = [];
  #connections = 0;
  /** Credits of the accept in flight that are not used up; 0 when none is in flight. */
  #credits = 0;
  #cancelling = false;
  #dirty = false;
  /** Places held in the queue of the base. */
  #queued = 0;
  readonly #ready: Deferred<void> = withResolvers();
  readonly #gone: Deferred<void> = withResolvers();

  /** @internal */
  constructor(
    base: EventBase,
    address: Address,
    handlers: ListenHandlers,
    context: HandlerContext | null,
    options: ListenerOptions,
  ) {
    const { disabled = false, maxConnections = Infinity, enable, ...portOptions } = options;
    this.base = base;
    this.#requested = address;
    this.#handlers = handlers;
    this.#context = context;
    this.#enabled = !disabled;
    this.#maxConnections = maxConnections;
    this.#enable = enable;
    base.enter(this);
    try {
      this.#handle = base.port.listen(address, portOptions);
    } catch (error) {
      base.leave(this);
      throw error;
    }
    base.own(this.#handle, this);
  }

  /** @internal Resolves when closed. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** @internal Resolves when bound; rejects with the system's error. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** The bound address, with the port that the system chose for port 0. */
  get address(): Address {
    return (this.#bound && !this.#closed ? this.base.port.address(this.#handle).local : null) ?? this.#requested;
  }

  /** Accepted connections that are still open. */
  get connections(): number {
    return this.#connections;
  }

  /** Whether connections are handed out. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** Accepts. What waited meanwhile comes first. */
  enable(): void {
    if (this.#closed) return;
    this.#enabled = true;
    this.#queue();
    this.#wake();
  }

  /** Stops handing out connections at once, also within a batch; they wait, in the system or here (LI-2). */
  disable(): void {
    this.#enabled = false;
    this.#wake();
  }

  /** Sets who is told of new connections; `null` pauses accepting (LI-6). Connections handed out keep theirs. */
  setHandlers(handlers: ListenHandlers | null): void {
    if (handlers !== null) checkHandlers(handlers, listenerHandlers);
    this.#handlers = handlers;
    this.#context = handlers === null ? null : this.base.captureContext();
    this.#queue();
    this.#wake();
  }

  /** Lets the listener keep the process alive (the default). */
  ref(): void {
    if (!this.#closed) this.base.port.ref(this.#handle);
  }

  unref(): void {
    if (!this.#closed) this.base.port.unref(this.#handle);
  }

  /** Stops listening; resolves when the address is free again. Connections handed out live on. Idempotent. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#enabled = false;
      for (const handle of this.#parked.splice(0)) this.base.port.close(handle);
      this.base.port.close(this.#handle);
    }
    return this.#gone.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  abandon(): void {
    void this.close();
  }

  /** @internal */
  connectionGone(): void {
    this.#connections--;
    this.#wake();
  }

  /** @internal */
  onCompletion(operation: Operation, result: number): void {
    switch (operation) {
      case Operation.listen:
        this.#onListening(result);
        break;
      case Operation.accept:
        this.#onAccepted(result);
        break;
      case Operation.close:
        this.base.disown(this.#handle);
        this.base.leave(this);
        this.#ready.reject(
          this.base.disposed ? disposedError() : systemError(-Errno.ECANCELED, 'listen', this.#requested),
        );
        this.#gone.resolve();
        break;
      default:
        break;
    }
  }

  #onListening(result: number): void {
    if (this.#closed) return;
    if (result >= 0) {
      this.#bound = true;
      this.#ready.resolve();
      this.#wake();
      return;
    }
    this.#ready.reject(systemError(result, 'listen', this.#requested));
    void this.close();
  }

  #onAccepted(result: number): void {
    if (result >= 0) {
      this.#credits--;
      if (this.#credits === 0) this.#cancelling = false;
      if (!this.#closed) this.#parked.push(result);
      else if (!this.base.disposed) this.base.port.close(result);
    } else if (result === -Errno.ECANCELED) {
      this.#credits = 0;
      this.#cancelling = false;
    } else {
      this.#errors.push(systemError(result, 'accept', this.#requested));
    }
    this.#queue();
    this.#wake();
  }

  /** One place in the queue of the base for each connection and error, so that the budget of a turn counts them. */
  #queue(): void {
    for (; this.#queued < this.#parked.length + this.#errors.length; this.#queued++) this.base.defer(this);
  }

  /** @internal */
  get priority(): number {
    return this.base.defaultPriority;
  }

  /** @internal */
  runCallbacks(): void {
    this.#queued--;
    const handlers = this.#handlers;
    if (this.#closed || handlers === null) return;
    const error = this.#errors.shift();
    if (error !== undefined) {
      if (handlers.onListenerError !== undefined) this.#run(handlers.onListenerError, handlers, error, this);
    } else if (this.#enabled && this.#parked.length > 0) this.#handOut(this.#parked.shift() as Handle, handlers);
  }

  #handOut(handle: Handle, handlers: ListenHandlers): void {
    this.#connections++;
    const bev = SocketBufferevent.accepted(this.base, handle, this, handlers, this.#context);
    enableDirections(bev, handlers, this.#enable);
    if (handlers.onConnection !== undefined) this.#run(handlers.onConnection, handlers, bev, this);
  }

  #run<Args extends unknown[]>(
    handler: (this: ListenHandlers, ...args: Args) => void,
    handlers: ListenHandlers,
    ...args: Args
  ): void {
    try {
      if (this.#context === null) handler.apply(handlers, args);
      else this.#context.run(handler, handlers, ...args);
    } catch (error) {
      surface(error);
    }
  }

  #wake(): void {
    if (this.#dirty || this.#closed) return;
    this.#dirty = true;
    this.base.markDirty(this);
  }

  /** @internal */
  reconcile(): void {
    this.#dirty = false;
    if (this.#closed || !this.#bound) return;
    const room = this.#maxConnections - this.#connections - this.#parked.length;
    const wanted = this.#enabled && this.#handlers !== null && room > 0;
    if (wanted && this.#credits === 0) {
      this.#credits = Math.min(ACCEPT_CREDITS, room);
      this.base.port.accept(this.#handle, this.#credits);
    } else if (!wanted && this.#credits > 0 && !this.#cancelling) {
      this.#cancelling = true;
      this.base.port.cancel(this.#handle, Operation.accept);
    }
  }
}

const listenerHandlers: readonly string[] = ['onConnection', 'onListenerError', ...connectionHandlers];

/** @internal Throws `TypeError`/`RangeError` for what a listener can't work with. */
export function checkListenerArguments(handlers: unknown, options: ListenerOptions): void {
  checkHandlers(handlers, listenerHandlers);
  const { backlog, maxConnections, enable } = options;
  if (backlog !== undefined) checkInteger('backlog', backlog, 1);
  if (maxConnections !== undefined) checkLimit('maxConnections', maxConnections, 1);
  checkDirections(enable);
}

/** @internal What is enabled on a connection that `listen()` or `connect()` made. */
export function enableDirections(
  bev: SocketBufferevent,
  handlers: BuffereventHandlers | undefined,
  directions: readonly Direction[] | undefined,
): void {
  if (directions === undefined) {
    if (handlers?.onRead !== undefined) bev.enable('read');
    return;
  }
  if (!directions.includes('write')) bev.disable('write');
  bev.enable(...directions);
}
