import {
  type BuffereventEvent,
  type BuffereventHandlers,
  type Direction,
  type EventBase,
  type Listener,
  type ListenerStats,
  type ListenHandlers,
  type ListenOptions,
  type ListenTarget,
  listen,
  type SocketBufferevent,
} from 'bufferevent';
import { type Address, argumentTypeError, Roster } from 'bufferevent-backend';
import { type ContextChoice, contextOf } from './connect-tls.js';
import { contextNames, type SslContextOptions } from './context-options.js';
import { checkOptions, layerNames, listenNames, pickOptions } from './options.js';
import { Ssl } from './ssl.js';
import type { SslContext } from './ssl-context.js';
import { checkTlsLayerOptions, TlsLayer, type TlsLayerOptions } from './tls-layer.js';

/** One object for a listener and for all connections that it hands out. */
export interface ListenTlsHandlers extends BuffereventHandlers {
  /** A connection is secure: its handshake is done. Runs before every other callback of `bev`. */
  onConnection?(bev: SocketBufferevent, listener: TlsListener): void;
  /**
   * A handshake has failed, or took too long: somebody looked at the port, or trusts other authorities. The connection is
   * closed, and nobody else hears of it. `peer` is `null` when that is not known any more.
   */
  onHandshakeError?(error: Error, peer: Address | null, listener: TlsListener): void;
  /** As of `listen()`. */
  onListenerError?(error: Error, listener: TlsListener): void;
  /** As of `listen()`. */
  onDrop?(peer: Address | null, listener: TlsListener): void;
}

/** As `listen()`, with a context or the options of one; connections in the handshake count for `maxConnections`. */
export type ListenTlsOptions = ListenOptions & ContextChoice & Omit<TlsLayerOptions, 'closeOnFree'>;

export interface TlsListenerStats extends ListenerStats {
  /** Of `connections`, those that were not handed out yet. */
  readonly handshaking: number;
  /** Handshakes that failed or took too long. */
  readonly handshakeErrors: number;
}

const optionNames = { ...listenNames, ...layerNames, ...contextNames, context: true };

const handlerNames: readonly (keyof ListenTlsHandlers)[] = [
  'onConnection',
  'onHandshakeError',
  'onListenerError',
  'onDrop',
  'onRead',
  'onWrite',
  'onEvent',
];

/** Accepts connections and hands each out when its handshake of TLS is done. Made by `listenTls()`. */
export class TlsListener implements AsyncDisposable {
  readonly #options: TlsLayerOptions;
  readonly #enable: readonly Direction[] | undefined;
  #context: SslContext;
  #handlers: ListenTlsHandlers | null;
  #listener: Listener | null = null;
  #forgetSignal: (() => void) | null = null;
  #closed = false;
  #handshakeErrors = 0;
  /** Not handed out: in the handshake, or parked. */
  readonly #handshaking = new Roster<TlsLayer>();
  /** Secure, while there is nobody to hand them to. */
  #parked: Set<SocketBufferevent> = new Set();

  /** @internal */
  constructor(
    context: SslContext,
    handlers: ListenTlsHandlers,
    options: TlsLayerOptions,
    enable: readonly Direction[] | undefined,
  ) {
    checkHandlers(handlers);
    checkServes(context);
    this.#context = context;
    this.#handlers = handlers;
    this.#options = options;
    this.#enable = enable;
  }

  /** @internal What the listener below is given. Connections get the user's handlers after the handshake. */
  get lowerHandlers(): ListenHandlers {
    return {
      onConnection: (bev) => this.#accepted(bev),
      onListenerError: (error) => this.#handlers?.onListenerError?.(error, this),
      onDrop: (peer) => this.#handlers?.onDrop?.(peer, this),
      onEvent: (bev, event) => this.#heard(bev as SocketBufferevent, event),
    };
  }

  /** @internal */
  listensBy(listener: Listener, signal: AbortSignal | undefined): this {
    this.#listener = listener;
    if (signal === undefined) return this;
    // It has closed the one below already.
    const onAbort = (): void => void this.close();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#forgetSignal = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    return this;
  }

  get #below(): Listener {
    return this.#listener as Listener;
  }

  get base(): EventBase {
    return this.#below.base;
  }

  /** The bound address, with the port that the system chose for port 0. */
  get address(): Address {
    return this.#below.address;
  }

  /**
   * The context of connections that are accepted from now on; those that are there keep theirs. Set another one to change
   * certificates without a restart. The old one is the caller's, and may be freed at once.
   */
  get context(): SslContext {
    return this.#context;
  }

  set context(context: SslContext) {
    checkServes(context);
    this.#context = context;
  }

  /** Accepted connections that are still open, those in the handshake among them. */
  get connections(): number {
    return this.#below.connections;
  }

  stats(): TlsListenerStats {
    // The end of the base frees them without a word.
    for (const layer of this.#handshaking.all()) if (layer.freed) this.#handshaking.delete(layer);
    return { ...this.#below.stats(), handshaking: this.#handshaking.size, handshakeErrors: this.#handshakeErrors };
  }

  /** Whether connections are accepted. */
  get enabled(): boolean {
    return this.#below.enabled;
  }

  /** As of `Listener`. Handshakes that have begun go on while it is disabled. */
  enable(): void {
    this.#below.enable();
  }

  disable(): void {
    this.#below.disable();
  }

  /** Sets who is told of new connections; `null` pauses accepting (LI-6). Connections handed out keep theirs. */
  setHandlers(handlers: ListenTlsHandlers | null): void {
    if (handlers !== null) checkHandlers(handlers);
    this.#handlers = handlers;
    this.#below.setHandlers(handlers === null ? null : this.lowerHandlers);
    if (handlers === null) return;
    const parked = this.#parked;
    this.#parked = new Set();
    // Told again, since users are not called inside a call of theirs.
    for (const bev of parked) if (!bev.freed) bev.triggerEvent({ kind: 'connected' });
  }

  ref(): void {
    this.#below.ref();
  }

  unref(): void {
    this.#below.unref();
  }

  /**
   * Stops listening; resolves when the address is free again. Connections live on, also in the handshake, but not those for
   * whom there are no handlers by then. Idempotent.
   */
  close(): Promise<void> {
    this.#closed = true;
    this.#forgetSignal?.();
    if (this.#handlers === null) for (const bev of this.#parked) this.#drop(bev);
    return this.#below.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accepted(bev: SocketBufferevent): void {
    try {
      const layer = new TlsLayer(new Ssl(this.#context), 'accepting', this.#options);
      void bev.insertLayer(layer);
      this.#handshaking.add(layer);
    } catch (error) {
      this.#failed(bev, error as Error);
    }
  }

  /** Of a connection in the handshake: afterwards the user's handlers are told instead. */
  #heard(bev: SocketBufferevent, event: BuffereventEvent): void {
    if (event.kind === 'connected') this.#secured(bev);
    else if (event.kind === 'error' || event.kind === 'timeout') this.#failed(bev, event.error);
  }

  #secured(bev: SocketBufferevent): void {
    const handlers = this.#handlers;
    if (handlers === null) {
      // Nobody would ever ask for it.
      if (this.#closed) this.#drop(bev);
      else this.#parked.add(bev);
      return;
    }
    this.#handshaking.delete(tlsOf(bev));
    bev.setHandlers(handlers);
    if (this.#enable === undefined ? handlers.onRead !== undefined : this.#enable.includes('read')) bev.enable('read');
    handlers.onConnection?.(bev, this);
  }

  #failed(bev: SocketBufferevent, error: Error): void {
    this.#handshakeErrors++;
    const { peer } = bev.address;
    this.#drop(bev);
    this.#handlers?.onHandshakeError?.(error, peer, this);
  }

  #drop(bev: SocketBufferevent): void {
    this.#parked.delete(bev);
    if (bev.layers.length > 0) this.#handshaking.delete(tlsOf(bev));
    bev.free();
  }
}

/** What {@link TlsListener} has put into a connection, which its user has not seen yet. */
function tlsOf(bev: SocketBufferevent): TlsLayer {
  return bev.layers[0] as TlsLayer;
}

/** Throws for what no server can be made of, now and not at the first connection. */
function checkServes(context: SslContext): void {
  const ssl = new Ssl(context);
  try {
    ssl.start('accepting');
  } finally {
    ssl.free();
  }
}

function checkHandlers(handlers: ListenTlsHandlers): void {
  if (typeof handlers !== 'object' || handlers === null) throw argumentTypeError('handlers', 'an object', handlers);
  for (const name of handlerNames) {
    const handler: unknown = handlers[name];
    if (handler !== undefined && typeof handler !== 'function') {
      throw argumentTypeError(`handlers.${name}`, 'a function', handler);
    }
  }
}

/**
 * Listens for connections that speak TLS, and resolves when they can come in. Each is handed out, by `onConnection`, when its
 * handshake is done; nothing of it is told before. A handshake that fails, or takes longer than `handshakeMs` (30
 * seconds), is told to `onHandshakeError` and the connection closed, so that nobody has to think of that. Handlers run in
 * the asynchronous context of this call.
 *
 * The context's certificates are its own: to change them without a restart, set {@link TlsListener.context}.
 *
 * Rejects and throws as `listen()` does; throws `ERR_OPENSSL_CERTIFICATE` for a context with which nobody can serve,
 * and what the constructor of `SslContext` throws.
 */
export function listenTls(
  target: ListenTarget,
  handlers: ListenTlsHandlers,
  options: ListenTlsOptions,
): Promise<TlsListener> {
  checkOptions(options, optionNames);
  const contextOptions = pickOptions<SslContextOptions>(options, contextNames);
  const layerOptions = pickOptions<TlsLayerOptions>(options, layerNames);
  const { enable, ...listenOptions } = pickOptions<ListenOptions>(options, listenNames);
  checkTlsLayerOptions(layerOptions);
  const listener = new TlsListener(contextOf(options.context, contextOptions), handlers, layerOptions, enable);
  // Nothing is read before the handshake is done, which itself needs nothing to be enabled.
  const enabled: typeof enable = Array.isArray(enable) ? enable.filter((direction) => direction !== 'read') : enable;
  return listen(target, listener.lowerHandlers, { ...listenOptions, enable: enabled ?? ['write'] }).then((below) =>
    listener.listensBy(below, listenOptions.signal),
  );
}
