import {
  type Address,
  type AddressPair,
  type CompletionBatch,
  Errno,
  type Handle,
  Operation,
  type StreamOptions,
  systemError,
} from 'bufferevent-backend';
import { checkBoolean, checkInteger } from './arguments.js';
import type { HandlerContext } from './async-context.js';
import { Bufferevent } from './bufferevent.js';
import { type ConnectTarget, checkConnectTarget } from './connect-target.js';
import { Connecting } from './connecting.js';
import { BuffereventError, disposedError, freedError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { BuffereventEvent, BuffereventHandlers, Direction, TimeoutName } from './events.js';
import { fileShrank } from './file-ahead.js';
import { FormerHandle } from './former-handle.js';
import type { FlushMode } from './layer.js';
import type { LookupError } from './lookup.js';
import { PeerWatch } from './peer-watch.js';
import { Sending } from './sending.js';
import {
  checkSocketOptions,
  connectSettings,
  demandDescriptors,
  type SocketBuffereventOptions,
  type SocketConnectOptions,
} from './socket-options.js';

/** @internal Who made a connection, when it was not the user. */
export interface Acceptor {
  /** Told once, when the connection's transport is gone. */
  connectionGone(): void;
}

type State = 'unconnected' | 'connecting' | 'open' | 'closing' | 'gone';

/*
 *   unconnected ─── connect() ───► connecting ───► open ───► closing ───► gone
 *        └──────── accepted, or adopted ────────────┘
 *
 * Here is what the connection is, which handle it is on, and what is asked of the port for that: at most one recv and one
 * send, as much as the allowances say. How it comes to a handle is in `Connecting`, what a send is made of in `Sending`,
 * what becomes of a handle that was given up in `FormerHandle`.
 */

/** Nothing is to be checked of them, for every connection that is accepted. */
const noOptions: SocketBuffereventOptions = Object.freeze({});

/** A bufferevent over one stream of the base's backend: TCP or Unix-domain, connected by it, accepted or adopted. */
export class SocketBufferevent extends Bufferevent {
  #state: State = 'unconnected';
  /** 0 while there is none. */
  #handle: Handle = 0;
  /** Handles given up by {@link setDescriptor} that the system is not done with. */
  #formers = 0;
  #connecting: Connecting | null = null;
  #peer: Address | null = null;
  readonly #closeOnFree: boolean;
  #acceptor: Acceptor | null = null;
  /** The one that the acceptor knows of. */
  #accepted: Handle = 0;
  #unreferenced = false;
  /** How many wait for their rate: itself, and filters over it. */
  #waits = 0;
  #dirty = false;
  /** The `max` of the recv in flight, 0 for none. */
  #receiving = 0;
  #cancelling = false;
  /** Made at first use: a connection that waits to be spoken to has none. */
  #sending: Sending | null = null;
  #peerWatch: PeerWatch | null = null;

  /**
   * @throws BuffereventError `ERR_BUFFEREVENT_UNSUPPORTED` for `descriptor`, or `closeOnFree: false`, over a backend
   *   without descriptors, `ERR_BUFFEREVENT_CLOSED` for a base that was disposed of; `TypeError`/`RangeError` for
   *   malformed and for unknown options. Nothing has been taken over then
   */
  constructor(base: EventBase, options: SocketBuffereventOptions = noOptions) {
    super(base);
    if (options !== noOptions) checkSocketOptions(base, options);
    if (base.disposed) throw disposedError();
    this.#closeOnFree = options.closeOnFree ?? true;
    if (options.handlers !== undefined) this.setHandlers(options.handlers);
    if (options.descriptor !== undefined) this.#attach(base.port.adopt(options.descriptor));
  }

  /** @internal A connection that a listener accepted, with the listener's handlers in its context. */
  static accepted(
    base: EventBase,
    handle: Handle,
    acceptor: Acceptor,
    handlers: BuffereventHandlers,
    context: HandlerContext | null,
  ): SocketBufferevent {
    const bev = new SocketBufferevent(base);
    bev.#acceptor = acceptor;
    bev.#accepted = handle;
    bev.callbacks.setHandlers(handlers, context);
    bev.#attach(handle);
    return bev;
  }

  /** @internal Calls back once with the outcome of the connect that is under way, before any handler. */
  static onConnectOutcome(bev: SocketBufferevent, callback: (error: Error | null) => void): void {
    bev.#connecting ??= new Connecting(bev);
    bev.#connecting.onOutcome(callback);
  }

  /**
   * Starts a connection. The outcome is one event: `connected`, `error` without a direction, or `timeout` with the name
   * `connect`; after a failure, `connect()` may be called again. What was written before is sent then (WR-5).
   *
   * @throws BuffereventError `ERR_BUFFEREVENT_ALREADY_CONNECTED`, `ERR_BUFFEREVENT_UNSUPPORTED` for a stream option that
   *   the backend does not offer; `TypeError`/`RangeError` for what is no target
   */
  connect(target: ConnectTarget, options: SocketConnectOptions = {}): void {
    if (this.freed) throw freedError();
    if (this.#state === 'open' || this.#state === 'connecting') {
      throw new BuffereventError('ERR_BUFFEREVENT_ALREADY_CONNECTED', 'connect() on a connected bufferevent');
    }
    if (this.#state !== 'unconnected') {
      throw new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'connect() on a bufferevent whose connection is over');
    }
    checkConnectTarget(target);
    const settings = connectSettings(this.base, options);
    this.#connecting ??= new Connecting(this);
    this.#connecting.renew(settings);
    this.#connecting.setReferenced(!this.#unreferenced);
    this.base.enter(this);
    try {
      this.#connecting.start(target, options.localAddress);
    } catch (error) {
      this.base.leave(this);
      throw error;
    }
    this.renewed();
    this.#state = 'connecting';
    this.timeouts.start('connect');
  }

  /** Why the last `connect()` found no address for its host; `null` when it found one, or none was asked for. */
  get lookupError(): LookupError | null {
    return this.#connecting?.lookupError ?? null;
  }

  /**
   * Goes on over another open, connected descriptor, where `backend.supports.descriptors`; -1 for none. A `connect()`
   * that is under way, also its lookup, is given up without an event. Handlers, `enabled`, marks, time-outs, `input` and
   * what is queued in `output` stay; an end or a failure of the connection before is forgotten. The descriptor is owned
   * as one given to the constructor.
   *
   * The old descriptor stays open and is the caller's again when the promise resolves: not before, because the system
   * may still be at work on it. Bytes that it received or sent till then count, except under layers: those begin anew, and
   * what they had encoded or not decoded is dropped. Never rejects.
   *
   * @throws BuffereventError `ERR_BUFFEREVENT_UNSUPPORTED`, `ERR_BUFFEREVENT_CLOSED` for a connection that is over,
   *   `ERR_BUFFEREVENT_ALREADY_CONNECTED` for one with layers that can't begin anew; the system's error for what is no
   *   connected stream. Nothing has changed then. What a layer throws that should begin anew: the connection has failed
   *   with it then, and `descriptor` stays the caller's
   */
  setDescriptor(descriptor: number): Promise<void> {
    return this.#changeDescriptor(descriptor, false);
  }

  /** As {@link setDescriptor}, but closes the old descriptor; resolves when it is closed. */
  replaceDescriptor(descriptor: number): Promise<void> {
    return this.#changeDescriptor(descriptor, true);
  }

  #changeDescriptor(descriptor: number, closeOld: boolean): Promise<void> {
    if (this.freed) throw freedError();
    checkInteger('descriptor', descriptor, -1);
    demandDescriptors(this.base);
    if (this.base.disposed) throw disposedError();
    if (this.#state === 'closing' || this.#state === 'gone') {
      throw new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'a descriptor for a bufferevent whose connection is over');
    }
    if (this.#state === 'open' && descriptor === this.descriptor) return Promise.resolve();
    if (this.#state === 'open' && this.layerStack?.isRenewable === false) {
      // What they have agreed upon holds for the connection that they are on.
      throw new BuffereventError('ERR_BUFFEREVENT_ALREADY_CONNECTED', 'another descriptor under open layers');
    }
    const handle = descriptor === -1 ? 0 : this.base.port.adopt(descriptor);
    try {
      this.layerStack?.renew();
    } catch (error) {
      // It was adopted, and is not used.
      if (handle !== 0) void this.#giveUpHandle(handle, false);
      if (this.#state === 'connecting') this.connectFailed(error as Error);
      else this.failed(undefined, error as Error);
      throw error;
    }
    if (this.#state === 'connecting') this.#stopConnecting();
    const released = this.#state === 'open' ? this.#giveUpHandle(this.#handle, closeOld) : Promise.resolve();
    this.timeouts.rest();
    this.renewed();
    this.inputSide.ended = false;
    this.#sending?.renew();
    this.#peerWatch?.renew();
    if (handle === 0) {
      this.#state = 'unconnected';
      this.#handle = 0;
      this.#peer = null;
      this.base.leave(this);
    } else {
      this.#peer = this.base.port.address(handle).peer;
      this.#attach(handle);
    }
    return released;
  }

  #giveUpHandle(handle: Handle, close: boolean): Promise<void> {
    this.#formers++;
    return new FormerHandle(this, handle).giveUp(close);
  }

  override get descriptor(): number {
    return this.#state === 'open' && this.base.backend.supports.descriptors
      ? this.base.port.descriptor(this.#handle)
      : -1;
  }

  override get address(): AddressPair {
    return this.#state === 'open' ? this.base.port.address(this.#handle) : { local: null, peer: null };
  }

  /**
   * Sets an option of the connected stream. Throws the system's error, or `ERR_BACKEND_UNSUPPORTED` for one that the
   * backend does not offer.
   */
  setOption<Name extends keyof StreamOptions>(name: Name, value: StreamOptions[Name]): void {
    if (this.freed) throw freedError();
    if (this.#state !== 'open') throw systemError(-Errno.ENOTCONN, 'setsockopt');
    const result = this.base.port.setOption(this.#handle, name, value);
    if (result < 0) throw systemError(result, 'setsockopt', this.#peer);
  }

  override ref(): void {
    if (this.#unreferenced) this.base.hold(this.#waits);
    this.#unreferenced = false;
    this.#connecting?.setReferenced(true);
    if (this.#state === 'open') this.base.port.ref(this.#handle);
  }

  override unref(): void {
    if (!this.#unreferenced) this.base.hold(-this.#waits);
    this.#unreferenced = true;
    this.#connecting?.setReferenced(false);
    if (this.#state === 'open') this.base.port.unref(this.#handle);
  }

  /** @internal */
  override holdProcess(change: number): void {
    this.#waits += change;
    if (!this.#unreferenced) this.base.hold(change);
  }

  /**
   * Whether to notice that the peer has closed while reading is disabled or suspended: one `peer-closed` event, nothing is
   * read for it. A reset is an `error` as always. Default false. Setting it throws `ERR_BUFFEREVENT_UNSUPPORTED` where
   * `backend.supports.peerClose` is false. (user-pain item 12, RD-7)
   */
  get watchPeer(): boolean {
    return this.#peerWatch?.enabled === true;
  }

  set watchPeer(watch: boolean) {
    if (this.freed) throw freedError();
    checkBoolean('watchPeer', watch);
    if (watch && !this.base.backend.supports.peerClose) {
      throw new BuffereventError(
        'ERR_BUFFEREVENT_UNSUPPORTED',
        `backend ${this.base.backend.name} does not notice the close of a peer that is not read`,
      );
    }
    if (watch) this.#peerWatch ??= new PeerWatch();
    if (this.#peerWatch !== null) this.#peerWatch.enabled = watch;
    this.wake();
  }

  /** @internal */
  lookingUp(pending: boolean): void {
    for (const { gate } of [this.inputSide, this.outputSide]) {
      if (pending) gate.suspend('lookup');
      else gate.resume('lookup');
    }
  }

  /** @internal */
  connected(handle: Handle, address: Address): void {
    this.#peer = address;
    this.timeouts.stop('connect');
    this.#attach(handle, true);
  }

  /** @internal */
  connectFailed(error: Error, timedOut = false): void {
    this.#stopConnecting();
    this.#state = 'unconnected';
    this.base.leave(this);
    this.failed(undefined, error, timedOut ? { kind: 'timeout', timeout: 'connect', error } : undefined);
  }

  #stopConnecting(): void {
    this.timeouts.stop('connect');
    this.#connecting?.stop();
  }

  #attach(handle: Handle, announce = false): void {
    this.#handle = handle;
    this.#state = 'open';
    this.base.enter(this);
    this.base.own(handle, this);
    if (this.#unreferenced) this.base.port.unref(handle);
    this.opened(announce);
    this.wake();
  }

  /** @internal */
  protected override established(): void {
    this.#connecting?.settle(null);
  }

  /** @internal */
  protected override failed(direction: Direction | undefined, error: Error, event?: BuffereventEvent): void {
    super.failed(direction, error, event);
    this.#connecting?.settle(error);
  }

  /** @internal */
  protected override get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** @internal */
  protected override get isAlive(): boolean {
    return this.#state === 'open' || this.#state === 'connecting';
  }

  /** @internal */
  protected override get isConnecting(): boolean {
    return this.#state === 'connecting';
  }

  /** @internal */
  override wake(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.base.markDirty(this);
  }

  /** @internal */
  reconcile(): void {
    this.#dirty = false;
    if (this.#state !== 'open') {
      this.freeWhenTaken();
      return;
    }
    this.pump();
    if (this.#state !== 'open') return;
    const { port } = this.base;
    const readMax = this.readAllowance();
    if (this.#receiving > 0) {
      if (readMax < this.#receiving) this.#lowerReceiving(readMax);
    } else if (readMax > 0) {
      this.#receiving = readMax;
      if (this.timeouts.timesProgress) this.timeouts.submitted('read');
      port.recv(this.#handle, readMax);
    }
    if (this.#peerWatch !== null) {
      this.#peerWatch.reconcile(port, this.#handle, this.#receiving === 0 && !this.readEnded);
    }
    // A send in flight asks for nothing: it can't be suspended, and its silence goes on to count.
    const sending = this.#isSending();
    const writeMax = sending ? this.sendableBytes() : this.writeAllowance();
    if (!sending) {
      if (writeMax > 0) this.#send(writeMax);
      else if (this.wantsShutdown) this.#shutdown();
    }
    if (!this.timeouts.timesProgress || !this.isOpen) return;
    this.timeouts.follow(this.isReading(readMax), this.isWriting(writeMax));
  }

  #lowerReceiving(max: number): void {
    if (max > 0) {
      this.#receiving = max;
      this.base.port.lowerRecvMax(this.#handle, max);
    } else if (!this.#cancelling) {
      this.#cancelling = true;
      this.base.port.cancel(this.#handle, Operation.recv);
    }
  }

  #onPeerWatched(result: number): void {
    const closed = this.#peerWatch?.completed(result) === true;
    if (this.#state !== 'open') return;
    this.wake();
    if (!closed) return;
    if (result < 0) this.failed('read', systemError(result, 'read', this.#peer));
    else this.callbacks.event({ kind: 'peer-closed' });
  }

  #isSending(): boolean {
    return this.#sending?.inFlight === true;
  }

  #send(max: number): void {
    this.#sending ??= new Sending(this);
    const failure = this.#sending.send(this.#handle, this.sendable, max);
    if (failure !== null) this.failed('write', failure);
    else if (this.timeouts.timesProgress && this.#sending.inFlight) this.timeouts.submitted('write');
  }

  #shutdown(): void {
    this.#sending ??= new Sending(this);
    this.#sending.shutdown(this.#handle);
  }

  /** @internal With layers, `max` may be less than is in the file. */
  limitFile(max: number): number {
    return this.isLayered ? max : this.fileAllowance();
  }

  /** @internal */
  fileRead(): void {
    if (this.#state === 'open' && !this.#isSending()) this.base.inTurn(() => this.wake());
  }

  /** @internal Submits at once what would be submitted at the end of the turn. */
  protected override flushTransport(_: Direction, __: FlushMode): boolean {
    const before = this.#isSending();
    this.reconcile();
    this.base.port.flush();
    return this.#isSending() && !before;
  }

  /** @internal */
  onCompletion(operation: Operation, result: number, batch: CompletionBatch, index: number): void {
    switch (operation) {
      case Operation.recv:
        this.#onReceived(result, batch, index);
        break;
      case Operation.send:
        this.#onSent(result);
        break;
      case Operation.sendFile:
        this.#onFileSent(result);
        break;
      case Operation.shutdown:
        if (this.#state !== 'open') break;
        if (result < 0) this.failed('write', systemError(result, 'shutdown', this.#peer));
        else this.sentEnd();
        break;
      case Operation.watchPeer:
        this.#onPeerWatched(result);
        break;
      case Operation.close:
      case Operation.reset:
      case Operation.detach:
        this.#onGone();
        break;
      default:
        break;
    }
  }

  /** @internal */
  formerReceived(batch: CompletionBatch, index: number, count: number): void {
    this.#receiving = 0;
    this.#cancelling = false;
    if (count === 0) return;
    const start = batch.start(index);
    const lease = batch.lease(index);
    // Meant for the layers as they were.
    if (this.isLayered) this.base.port.release(lease);
    else if (this.isOpen) this.received(batch.memory(index), start, start + count, this.base.port, lease);
    else this.inputSide.received(batch.memory(index), start, start + count, this.base.port, lease);
  }

  /** @internal */
  formerSent(count: number): void {
    const sending = this.#sending as Sending;
    sending.completed(this.sendable);
    // What layers had encoded is gone from their wire already.
    if (count === 0 || this.freed || (this.isLayered && this.sendable !== this.output)) return;
    sending.sent(count);
    this.sent(count);
  }

  /** @internal */
  formerGone(): void {
    if (--this.#formers > 0) return;
    if (this.#state === 'gone') this.#gone();
    else {
      if (this.#handle !== this.#accepted) this.#leaveAcceptor();
      this.wake();
    }
  }

  #onReceived(result: number, batch: CompletionBatch, index: number): void {
    this.#receiving = 0;
    this.#cancelling = false;
    if (result > 0) {
      const start = batch.start(index);
      this.received(batch.memory(index), start, start + result, this.base.port, batch.lease(index));
    } else if (this.#state !== 'open') {
      return;
    } else if (result === 0) {
      this.receivedEnd();
    } else if (result !== -Errno.ECANCELED) {
      this.failed('read', systemError(result, 'read', this.#peer));
    }
    this.wake();
  }

  /** Nothing was sent although something was asked for: the file ends before it. */
  #onFileSent(result: number): void {
    const range = result === 0 ? this.sendable.peekFile() : null;
    this.#onSent(result, range === null ? undefined : fileShrank(range));
  }

  #onSent(result: number, failure?: Error): void {
    const sending = this.#sending as Sending;
    sending.completed(this.sendable);
    if (this.#state !== 'open') return;
    if (failure !== undefined) this.failed('write', failure);
    else if (result >= 0) {
      sending.sent(result);
      this.sent(result);
    } else if (result !== -Errno.ECANCELED) {
      sending.drop();
      this.failed('write', systemError(result, 'write', this.#peer));
    }
    this.wakeIfOwing();
  }

  /** @internal */
  protected override closeTransport(abrupt: boolean): void {
    this.timeouts.rest();
    if (this.#state === 'connecting') this.#stopConnecting();
    if (this.#state === 'open') {
      this.#state = 'closing';
      if (abrupt) this.base.port.reset(this.#handle);
      else if (!this.#closeOnFree) this.base.port.detach(this.#handle);
      else this.base.port.close(this.#handle);
    } else if (this.#state !== 'closing') {
      this.#state = 'gone';
      if (this.#formers === 0) this.#gone();
    }
    this.#connecting?.settle(this.#whyClosed());
  }

  /** For who waits for a connection, or for the layers on it, that is not to be. */
  #whyClosed(): Error {
    const { cause } = this.closing;
    if (this.failure !== null) return this.failure;
    return cause !== null && 'error' in cause ? cause.error : freedError();
  }

  #onGone(): void {
    this.#state = 'gone';
    this.base.disown(this.#handle);
    if (this.#formers === 0) this.#gone();
  }

  /** Stays a member of the base until freed too: bytes that nobody has taken yet end with the base. */
  #gone(): void {
    this.#sending?.drop();
    if (this.freed) this.base.leave(this);
    this.transportGone();
    this.#leaveAcceptor();
  }

  #leaveAcceptor(): void {
    this.#acceptor?.connectionGone();
    this.#acceptor = null;
  }

  /** @internal */
  abandon(): void {
    if (this.#state === 'connecting') this.connectFailed(disposedError());
    // Layers may be in their handshakes.
    else this.#connecting?.settle(disposedError());
    this.free();
  }

  /** @internal */
  override onTimeout(name: TimeoutName): void {
    if (name !== 'connect') {
      super.onTimeout(name);
      return;
    }
    if (this.#state !== 'connecting') return;
    this.connectFailed(systemError(-Errno.ETIMEDOUT, 'connect', this.#connecting?.lastAddress), true);
  }
}
