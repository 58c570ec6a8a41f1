import {
  type Address,
  argumentTypeError,
  checkListenOptions,
  Errno,
  excludedListenOption,
  type Handle,
  Operation,
  type OptionNames,
  type ListenOptions as PortListenOptions,
  surface,
  systemError,
} from 'bufferevent-backend';
import {
  checkBoolean,
  checkDirections,
  checkHandlers,
  checkInteger,
  checkLimit,
  connectionHandlers,
} from './arguments.js';
import type { HandlerContext } from './async-context.js';
import { type Deferred, withResolvers } from './deferred-promise.js';
import { BuffereventError, disposedError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { BuffereventHandlers, Direction } from './events.js';
import { SocketBufferevent } from './socket-bufferevent.js';
import { type InitialStreamOptions, StreamSettings, streamOptionNames } from './stream-options.js';

/** One object for a listener and for all connections that it accepts. */
export interface ListenHandlers extends BuffereventHandlers {
  /** A connection was accepted; runs before every other callback of `bev`. */
  onConnection?(bev: SocketBufferevent, listener: Listener): void;
  /** Accepting failed (`EMFILE`, …): once per episode; accepting goes on by itself when it can (LI-3). */
  onListenerError?(error: Error, listener: Listener): void;
  /** A connection above `maxConnections` was closed at once, with `overflow: 'drop'`. `peer` is `null` on a path. */
  onDrop?(peer: Address | null, listener: Listener): void;
}

/** The stream options are set on each connection before it is handed out. */
export interface ListenerOptions extends PortListenOptions, InitialStreamOptions {
  /** Start without accepting; connections wait in the backlog until `enable()`. Default false. */
  readonly disabled?: boolean;
  /** Most accepted connections that may be open at a time. Default: no limit. */
  readonly maxConnections?: number;
  /**
   * What becomes of connections above `maxConnections`: with `pause`, the default, they wait in the backlog of the
   * system for a free place; with `drop` they are closed at once, and `onDrop` is told.
   */
  readonly overflow?: 'pause' | 'drop';
  /** What to enable on accepted connections. Default: writing, and reading when there is an `onRead`. */
  readonly enable?: readonly Direction[];
}

/** @internal */
export const listenerOptionNames: OptionNames<ListenerOptions> = {
  ...streamOptionNames,
  disabled: true,
  maxConnections: true,
  overflow: true,
  enable: true,
  backlog: true,
  ipv6Only: true,
  reusePort: true,
  deferAccept: true,
  mode: true,
};

/** What a listener has done so far, and what it has now. */
export interface ListenerStats {
  /** Connections handed out. */
  readonly accepted: number;
  /** Connections closed at once because there were too many. */
  readonly dropped: number;
  /** Accepted connections that are still open. */
  readonly connections: number;
  /** Failures to accept: once per episode. */
  readonly errors: number;
}

/** Connections asked for at a time, and most of them that may wait to be told to the user before more are asked for. */
const ACCEPT_CREDITS = 256;

/** Accepts connections on one bound address and hands each out as a {@link SocketBufferevent}. Made by `listen()`. */
export class Listener implements AsyncDisposable {
  readonly base: EventBase;
  readonly #handle: Handle;
  readonly #requested: Address;
  readonly #enable: readonly Direction[] | undefined;
  readonly #maxConnections: number;
  readonly #drops: boolean;
  readonly #settings: StreamSettings | null;
  #handlers: ListenHandlers | null;
  #context: HandlerContext | null;
  #enabled: boolean;
  #bound = false;
  #closed = false;
  /** Accepted, not yet handed out. */
  readonly #parked: Handle[] = [];
  readonly #errors: Error[] = [];
  /** The peers of dropped connections, not yet told. */
  readonly #droppedPeers: (Address | null)[] = [];
  #connections = 0;
  #accepted = 0;
  #dropped = 0;
  #failures = 0;
  /** Credits of the accept in flight that are not used up; 0 when none is in flight. */
  #credits = 0;
  #cancelling = false;
  /** @internal Among the members of the base. */
  place = -1;
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
    const { disabled = false, maxConnections = Infinity, overflow, enable } = options;
    this.base = base;
    this.#requested = address;
    this.#handlers = handlers;
    this.#context = context;
    this.#enabled = !disabled;
    this.#maxConnections = maxConnections;
    this.#drops = overflow === 'drop';
    this.#enable = enable;
    this.#settings = StreamSettings.of(base, options);
    base.enter(this);
    try {
      this.#handle = base.port.listen(address, portOptionsOf(options));
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

  stats(): ListenerStats {
    return {
      accepted: this.#accepted,
      dropped: this.#dropped,
      connections: this.#connections,
      errors: this.#failures,
    };
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

  static {
    // What `util.inspect` and `console.log` print: where it listens, its state and its counts.
    Object.defineProperty(Listener.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      configurable: true,
      value(this: Listener, _depth: number, options: object, inspect: (value: unknown, options: object) => string) {
        return `Listener ${inspect({ address: this.address, state: this.#state(), ...this.stats() }, options)}`;
      },
    });
  }

  #state(): 'closed' | 'binding' | 'disabled' | 'paused' | 'accepting' {
    if (this.#closed) return 'closed';
    if (!this.#bound) return 'binding';
    if (!this.#enabled) return 'disabled';
    return this.#handlers === null || this.#room() <= 0 ? 'paused' : 'accepting';
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
      if (this.#closed) this.#closeUnclaimed(result);
      else if (this.#drops && this.#connections + this.#parked.length >= this.#maxConnections) this.#drop(result);
      else this.#parked.push(result);
    } else if (result === -Errno.ECANCELED) {
      this.#credits = 0;
      this.#cancelling = false;
    } else {
      this.#failures++;
      this.#errors.push(systemError(result, 'accept', this.address));
    }
    this.#queue();
    this.#wake();
  }

  #drop(handle: Handle): void {
    this.#dropped++;
    if (this.#handlers?.onDrop !== undefined) this.#droppedPeers.push(this.base.port.address(handle).peer);
    this.#closeUnclaimed(handle);
  }

  #closeUnclaimed(handle: Handle): void {
    if (!this.base.disposed) this.base.port.close(handle);
  }

  /** Connections and drops of which the user has not heard yet. */
  #untold(): number {
    return this.#parked.length + this.#droppedPeers.length;
  }

  /** One place in the queue of the base for each thing to tell, so that the budget of a turn counts them. */
  #queue(): void {
    for (; this.#queued < this.#untold() + this.#errors.length; this.#queued++) this.base.defer(this);
  }

  /** @internal */
  get priority(): number {
    return this.base.defaultPriority;
  }

  /** @internal */
  get context(): HandlerContext | null {
    return this.#context;
  }

  /** @internal */
  runCallbacks(): void {
    this.#queued--;
    const handlers = this.#handlers;
    if (this.#closed || handlers === null) return;
    const error = this.#errors.shift();
    if (error !== undefined) {
      if (handlers.onListenerError !== undefined) this.#run(handlers.onListenerError, handlers, error, this);
    } else if (this.#enabled && this.#parked.length > 0) {
      this.#handOut(this.#parked.shift() as Handle, handlers);
    } else if (this.#droppedPeers.length > 0) {
      const peer = this.#droppedPeers.shift() as Address | null;
      if (handlers.onDrop !== undefined) this.#run(handlers.onDrop, handlers, peer, this);
    }
    if (this.#credits === 0) this.#wake();
  }

  #handOut(handle: Handle, handlers: ListenHandlers): void {
    this.#connections++;
    this.#accepted++;
    this.#settings?.apply(this.base.port, handle);
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
    const room = this.#room();
    const wanted = this.#enabled && this.#handlers !== null && room > 0;
    if (wanted && this.#credits === 0) {
      if (this.#untold() >= ACCEPT_CREDITS) return;
      this.#credits = Math.min(ACCEPT_CREDITS, room);
      this.base.port.accept(this.#handle, this.#credits);
    } else if (!wanted && this.#credits > 0 && !this.#cancelling) {
      this.#cancelling = true;
      this.base.port.cancel(this.#handle, Operation.accept);
    }
  }

  /** Connections that may be asked for. */
  #room(): number {
    return this.#drops ? Infinity : this.#maxConnections - this.#connections - this.#parked.length;
  }
}

const listenerHandlers: readonly string[] = ['onConnection', 'onListenerError', 'onDrop', ...connectionHandlers];

/**
 * @internal Throws `TypeError`/`RangeError` for what a listener can't work with, or what such a target can't have, and
 * `ERR_BUFFEREVENT_UNSUPPORTED` for what the backend can't.
 */
export function checkListenerArguments(
  base: EventBase,
  target: Address | { readonly host: string; readonly port: number },
  handlers: unknown,
  options: ListenerOptions,
): void {
  checkHandlers(handlers, listenerHandlers);
  const { disabled, backlog, maxConnections, overflow, enable } = options;
  checkBoolean('disabled', disabled);
  if (backlog !== undefined) checkInteger('backlog', backlog, 1);
  if (maxConnections !== undefined) checkLimit('maxConnections', maxConnections, 1);
  if (overflow !== undefined && overflow !== 'pause' && overflow !== 'drop') {
    throw argumentTypeError('overflow', "'pause' or 'drop'", overflow);
  }
  checkDirections(enable);
  const portOptions = portOptionsOf(options);
  checkListenOptions('path' in target ? target : { ip: '::', port: target.port }, portOptions);
  const excluded = excludedListenOption(portOptions, base.backend.supports);
  if (excluded !== null) {
    throw new BuffereventError(
      'ERR_BUFFEREVENT_UNSUPPORTED',
      `backend ${base.backend.name} does not support the option ${excluded}`,
    );
  }
  StreamSettings.of(base, options);
}

function portOptionsOf({ backlog, ipv6Only, reusePort, deferAccept, mode }: ListenerOptions): PortListenOptions {
  return {
    ...(backlog !== undefined && { backlog }),
    ...(ipv6Only !== undefined && { ipv6Only }),
    ...(reusePort !== undefined && { reusePort }),
    ...(deferAccept !== undefined && { deferAccept }),
    ...(mode !== undefined && { mode }),
  };
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
