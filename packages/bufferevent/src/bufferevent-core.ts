import type { Evbuffer, LeaseOwner } from 'evbuffer';
import type { Bufferevent } from './bufferevent.js';
import { PendingCallbacks, type Upper } from './callbacks.js';
import { Closing, causeOf } from './closing.js';
import type { ConnectionLayers } from './connection-layers.js';
import { CoveredBufferevent } from './covered.js';
import { channels } from './diagnostics.js';
import { BuffereventError, freedError } from './errors.js';
import { checkBase, type EventBase } from './event-base.js';
import type { BuffereventEvent, CloseCause, Direction, TimeoutName } from './events.js';
import type { SuspendReason } from './gate.js';
import { InputSide } from './input-side.js';
import type { FlushMode } from './layer.js';
import { OutputSide } from './output-side.js';
import { OutputTap } from './output-tap.js';
import type { Pull } from './pull.js';
import type { CountedBytes, RateLimits } from './rate-limit/limits.js';
import { afterFailure, Timeouts } from './timeouts.js';

/**
 * The inner half of a bufferevent: what the kinds (sockets, pairs, filters, streams), which move the bytes, and the layers
 * have to do with. It connects the two sides, the time-outs, the rate limits and the layers, and knows how far the end
 * has come. What users call is in `Bufferevent`.
 *
 *      transport ── received, receivedFrom, receivedEnd ─► layers ─► input side ─► callbacks, pulls
 *      transport ◄─ sendable, takeSendable, sent ───────── layers ◄─ output side
 *                   readAllowance, writeAllowance: how much may move now
 */
export abstract class BuffereventCore {
  readonly base: EventBase;
  /** @internal */
  protected readonly inputSide: InputSide;
  #outputSide: OutputSide | null = null;
  /** @internal */
  protected readonly timeouts: Timeouts;
  /** @internal */
  protected readonly callbacks: PendingCallbacks;
  /** @internal */
  protected readonly closing: Closing = new Closing();
  /** @internal `null` for a connection that was never limited. */
  protected rates: RateLimits | null = null;
  /** @internal */
  protected layerStack: ConnectionLayers | null = null;
  /** @internal The first failure. */
  protected failure: Error | null = null;
  /** @internal Among the members of the base. */
  place = -1;
  #isFreed = false;
  /** The `connected` event waits for the layers' handshakes. */
  #announcing = false;
  /** For transports that move bytes: takes those of files out of the output. */
  #tap: OutputTap | null = null;
  #transport: 'standing' | 'going' | 'gone' = 'standing';

  /** @internal */
  constructor(base: EventBase) {
    checkBase(base);
    this.base = base;
    // Nothing but Bufferevent extends this class.
    this.callbacks = new PendingCallbacks(this as unknown as Bufferevent, base);
    this.timeouts = new Timeouts(this);
    this.inputSide = new InputSide(base.limits, this.callbacks, this.closing, this);
  }

  /** @internal Made at first use: a connection that waits to be spoken to has none. */
  protected get outputSide(): OutputSide {
    return this.#outputSide ?? this.#makeOutputSide();
  }

  #makeOutputSide(): OutputSide {
    const side = new OutputSide(this.base.limits, this.callbacks, this);
    if (this.freed) side.free();
    this.#outputSide = side;
    return side;
  }

  /** Whether the peer has ended its side. */
  get readEnded(): boolean {
    return this.inputSide.ended;
  }

  /** Whether our side has ended: everything was sent, and the end after it. */
  get writeEnded(): boolean {
    return this.closing.writeEnded;
  }

  get freed(): boolean {
    return this.#isFreed;
  }

  /**
   * Closes abruptly and lets go of everything. Synchronous and idempotent; queued output is dropped, nothing is called
   * afterwards, waiting pulls reject with `ERR_BUFFEREVENT_FREED` (FR-1, FR-3).
   */
  free(): void {
    if (this.freed) return;
    this.#isFreed = true;
    this.closing.cause ??= { kind: 'freed' };
    this.callbacks.drop();
    this.timeouts.cancel();
    this.#followRates();
    this.rates?.free();
    this.rates = null;
    this.inputSide.free();
    this.#outputSide?.free();
    this.closeTransport(false);
    if (this.#transport === 'going') this.transportGone();
    else if (this.#transport === 'gone') {
      this.#letGo();
      this.closing.finished();
    }
    this.#tap?.close();
    if (channels.close.hasSubscribers) channels.close.publish({ bufferevent: this, cause: this.closing.cause });
    const { upper } = this.callbacks;
    this.callbacks.upper = null;
    upper?.lowerFreed();
  }

  /** @internal The transport's part of {@link flush}. @returns whether something moved */
  protected abstract flushTransport(direction: Direction, mode: FlushMode): boolean;

  /** @internal Nothing more is written; our side ends after what is queued. */
  closeOutput(): void {
    this.closing.closeWriting();
    this.outputSide.close();
    this.wake();
  }

  /** @internal Whether there still is something to tell `onRead` when its turn comes. */
  get hasReadableInput(): boolean {
    return this.inputSide.readable;
  }

  /** @internal Connected: bytes can move. */
  protected abstract get isOpen(): boolean;
  /** @internal Connected or on the way there. */
  protected abstract get isAlive(): boolean;
  /** @internal Whether a connect of its own is under way, which `connectMs` limits; that of one below is not. */
  protected get isConnecting(): boolean {
    return false;
  }

  /** @internal Something changed: look at the allowances again at the end of the turn. */
  abstract wake(): void;
  /** @internal Closes, at once; tells {@link transportGone} when that is done. May be called more than once. */
  protected abstract closeTransport(abrupt: boolean): void;

  /** @internal Whether the transport's end of our side is due now. */
  protected get wantsShutdown(): boolean {
    if (!this.closing.writeClosed || this.freed || this.outputSide.length > 0 || this.outputSide.failure !== null) {
      return false;
    }
    return this.layerStack === null || this.layerStack.hasSentEnd;
  }

  /** @internal Bytes that the transport may receive now; 0: it should not try. */
  protected readAllowance(): number {
    const most = this.layerStack === null ? this.inputSide.allowance() : this.#appetite(this.layerStack);
    return this.rates === null ? most : this.#limit('read', most, this.layerStack === null ? 'both' : 'wire');
  }

  #appetite(layers: ConnectionLayers): number {
    return this.freed || this.inputSide.failure !== null || this.closing.finishing ? 0 : layers.appetite();
  }

  /** @internal Whether payload is waited for: what layers read for themselves has no read time-out (TO-1). */
  protected isReading(allowance: number): boolean {
    return allowance > 0 && (this.layerStack === null || this.inputSide.allowance() > 0);
  }

  /** @internal Bytes that the transport may take from {@link sendable} now. Asks the rate limits: for who will take them. */
  protected writeAllowance(): number {
    const most = this.sendableBytes();
    return this.rates === null ? most : this.#limit('write', most, this.#sentBytes());
  }

  /**
   * @internal Whether bytes of the user are on their way. What layers have made of them leaves also while writing is
   * disabled, but has no write time-out then: it would come again and again (TO-4).
   */
  protected isWriting(allowance: number): boolean {
    if (allowance === 0 || this.outputSide.failure !== null) return false;
    return this.layerStack === null || this.outputSide.gate.enabled;
  }

  /** @internal Bytes that the system may take from a file by itself now, where {@link writeAllowance} is above 0. */
  protected fileAllowance(): number {
    return this.#limit('write', this.base.limits.fileBytesPerTurn, this.#sentBytes());
  }

  /** @internal As {@link writeAllowance}, whatever the rate limits say. */
  protected sendableBytes(): number {
    if (this.layerStack !== null) return this.freed ? 0 : this.layerStack.sendableBytes();
    return this.#outputSide === null ? 0 : this.#outputSide.allowance();
  }

  /** @internal */
  protected get isLayered(): boolean {
    return this.layerStack !== null;
  }

  /** @internal Whether something is left to be sent or ended, also by layers that waited for room, or a failure to be dealt with. */
  protected get owesMore(): boolean {
    const { layerStack } = this;
    if (this.closing.writeClosed || this.failure !== null) return true;
    if (this.#outputSide !== null && this.#outputSide.length > 0) return true;
    return layerStack !== null && !layerStack.isDrained;
  }

  /** @internal After bytes have moved: there is nothing to look at unless there is something to send, to end, or to time. */
  protected wakeIfOwing(): void {
    if (this.owesMore || this.timeouts.timesProgress) this.wake();
  }

  /** Which bytes {@link sendable} holds: those of the user, where no layer has them first. */
  #sentBytes(): CountedBytes {
    return this.layerStack === null || this.layerStack.sendsRaw ? 'both' : 'wire';
  }

  #limit(direction: Direction, most: number, bytes: CountedBytes): number {
    return this.rates === null || most <= 0 ? most : Math.min(most, this.rates.side(direction).allowance(bytes));
  }

  /** @internal For layers: what of `most` bytes of the user may pass now. */
  limitPayload(direction: Direction, most: number): number {
    return this.#limit(direction, most, 'payload');
  }

  /** @internal For layers: bytes of the user have passed. */
  payloadMoved(direction: Direction, count: number): void {
    this.rates?.side(direction).moved(count, 'payload');
  }

  /** @internal What the transport sends from. */
  protected get sendable(): Evbuffer {
    return this.layerStack === null ? this.outputSide.buffer : this.layerStack.sendable;
  }

  /**
   * @internal As {@link sent}, for a transport that moves up to `max` bytes to the back of `target` itself; `deliver` is
   * called when they are there, before anybody hears that they have left.
   */
  protected takeSendable(target: Evbuffer, max: number, deliver?: (count: number) => void): number {
    const bytes = this.#sentBytes();
    let count: number;
    if (this.layerStack === null) {
      this.#tap ??= new OutputTap(this.outputSide, {
        tapFilled: () => this.base.inTurn(() => this.wake()),
        tapFailed: (error) => this.failed('write', error),
      });
      count = this.#tap.moveTo(target, max);
      if (count === 0) return 0;
      deliver?.(count);
      this.outputSide.left();
    } else {
      count = this.layerStack.take(target, max);
      if (count === 0) return 0;
      deliver?.(count);
    }
    this.rates?.write.moved(count, bytes);
    this.wroteSome();
    return count;
  }

  /** @internal What layers have to do is done, before the transport looks at its allowances. */
  protected pump(): void {
    if (this.layerStack !== null) {
      this.layerStack.pump();
      // Where the end came from a layer, there is nothing below to ask for it again (EV-4).
      if (this.inputSide.ended && this.inputSide.gate.enabled) this.payloadEnded();
    }
    this.inputSide.discardIfStuck();
    this.#followRates();
  }

  /** While a rate suspends what is wanted, nothing is in flight that would keep the process alive. */
  #followRates(): void {
    const { rates } = this;
    if (rates === null) return;
    const holding = !this.freed && this.isOpen && (this.#readWaitsForRate() || this.#writeWaitsForRate());
    if (holding === rates.holding) return;
    rates.holding = holding;
    this.holdProcess(holding ? 1 : -1);
  }

  #readWaitsForRate(): boolean {
    const { inputSide, layerStack } = this;
    if (!inputSide.gate.suspendedByRate) return false;
    return inputSide.room() > 0 || (layerStack !== null && this.#appetite(layerStack) > 0);
  }

  #writeWaitsForRate(): boolean {
    const { outputSide, layerStack } = this;
    if (!outputSide.gate.suspendedByRate) return false;
    if (layerStack !== null && layerStack.sendableBytes() > 0) return true;
    return outputSide.gate.enabled && outputSide.failure === null && outputSide.length > 0;
  }

  /** @internal One more waits for its rate, or (-1) one less: this one, or one that lies over it. */
  holdProcess(change: number): void {
    this.base.hold(change);
  }

  /**
   * @internal Connected: bytes can move from now on. `announce`: the user is to hear of it, after the handshakes of the
   * layers.
   */
  protected opened(announce: boolean): void {
    if (this.closing.ending) this.timeouts.touch('close');
    this.timeouts.start('idle');
    this.#announcing = announce;
    if (channels.open.hasSubscribers) channels.open.publish({ bufferevent: this });
    if (this.layerStack === null) this.layersOpened(false);
    else {
      if (!this.layerStack.isOpen) this.timeouts.start('handshake');
      this.layerStack.start();
    }
  }

  /** @internal Payload passes from now on. */
  layersOpened(shaken: boolean): void {
    this.timeouts.stop('handshake');
    const announce = this.#announcing || shaken;
    this.#announcing = false;
    this.established();
    if (announce) this.callbacks.event({ kind: 'connected' });
  }

  /** @internal The connection and its layers are open. For kinds that have somebody to tell. */
  protected established(): void {}

  /** @internal */
  layersFailed(direction: Direction | undefined, error: Error): void {
    this.timeouts.stop('handshake');
    this.failed(direction, error);
    this.wake();
  }

  /** @internal A flush that waited for a layer has come down to the transport. */
  flushedLate(mode: FlushMode): void {
    if (this.isOpen) this.flushTransport('write', mode);
  }

  /** @internal Waits in line with `read()` and `readLine()` for what `pull` asks for. */
  pull<Value>(pull: Pull<Value>, signal: AbortSignal | undefined): Promise<Value> {
    return this.inputSide.pull(pull, signal);
  }

  /** @internal */
  outputEnded(): boolean {
    return this.closing.writeClosed && this.outputSide.length === 0;
  }

  /** @internal */
  outputSettled(): void {
    this.outputSide.checkDrained();
    this.callbacks.upper?.lowerSettled();
  }

  /** @internal Room for encoded bytes, where `held` wait for the transport already. */
  wireRoom(held: number): number {
    const { high } = this.outputSide.marks;
    return Math.max(0, (high === 0 ? this.base.limits.bytesPerTurn : high) - held);
  }

  /** @internal Bytes arrived, in memory that is leased from `owner`. */
  protected received(memory: Uint8Array, start: number, end: number, owner: LeaseOwner, lease: number): void {
    if (!this.isOpen) {
      owner.release(lease);
      return;
    }
    if (this.timeouts.timesProgress) this.timeouts.progress('read');
    if (this.rates !== null) this.rates.read.moved(end - start, this.layerStack === null ? 'both' : 'wire');
    if (this.layerStack === null) this.inputSide.received(memory, start, end, owner, lease);
    else this.layerStack.received(memory, start, end, owner, lease);
  }

  /** @internal The first `count` bytes of `source` arrived; they are moved. */
  protected receivedFrom(source: Evbuffer, count: number): void {
    if (!this.isOpen) {
      source.drain(count);
      return;
    }
    this.timeouts.progress('read');
    this.rates?.read.moved(count, this.layerStack === null ? 'both' : 'wire');
    if (this.layerStack === null) this.inputSide.receivedFrom(source, count);
    else this.layerStack.receivedFrom(source, count);
  }

  /** @internal The transport's end was reached. */
  protected receivedEnd(): void {
    if (this.layerStack === null) this.payloadEnded();
    else this.layerStack.receivedEnd();
  }

  /** @internal The peer ended its side, and all that came before was delivered. */
  payloadEnded(): void {
    this.inputSide.receivedEnd();
    this.callbacks.event({ kind: 'eof', direction: 'read' });
    this.checkEnded();
  }

  /** @internal The layers below the one that told the end have heard theirs. */
  layersEnded(): void {
    this.checkEnded();
    this.callbacks.upper?.lowerEnded();
  }

  /** @internal Whether nothing more is to come: behind the end of the payload, layers below may have theirs. */
  get receivedAll(): boolean {
    return this.readEnded && this.layerStack?.decodingEnded !== false;
  }

  /** @internal The first `count` bytes of {@link sendable} were taken; they are unpinned. */
  protected sent(count: number): void {
    const bytes = this.#sentBytes();
    if (this.layerStack === null) this.outputSide.sent(count);
    else this.layerStack.sent(count);
    if (this.rates !== null) this.rates.write.moved(count, bytes);
    this.wroteSome();
  }

  /** @internal Bytes went towards the peer. */
  protected wroteSome(): void {
    if (this.timeouts.timesProgress) this.timeouts.progress('write');
    if (this.closing.ending) this.timeouts.touch('close');
    this.callbacks.upper?.lowerSent();
  }

  /** @internal Whether the system has taken everything that has left the output. */
  settled(): boolean {
    return this.layerStack === null || this.layerStack.isDrained;
  }

  /** @internal Somebody took bytes from the input. */
  inputTaken(): void {
    if (this.layerStack !== null) this.wake();
    if (!this.closing.finishing) return;
    this.timeouts.touch('close');
    this.wake();
  }

  /** @internal The hard cap of the output was passed. */
  outputOverflowed(error: BuffereventError): void {
    this.failed('write', error);
    this.inputSide.fail(error);
    this.closeTransport(true);
  }

  /** @internal */
  gateChanged(direction: Direction, reason: SuspendReason, suspended: boolean): void {
    const channel = suspended ? channels.suspend : channels.resume;
    if (channel.hasSubscribers) channel.publish({ bufferevent: this, direction, reason });
  }

  /** @internal Our side has ended. */
  protected sentEnd(): void {
    this.closing.endWriting();
    if (this.closing.ending) this.timeouts.touch('close');
    this.checkEnded();
  }

  /**
   * @internal A direction has failed, or, without one, the connection could not be made. A failed read takes writing
   * with it; after a failed write, what has arrived can still be read (C18). Told once.
   */
  protected failed(direction: Direction | undefined, error: Error, event?: BuffereventEvent): void {
    if (direction === 'read') this.inputSide.gate.enabled = false;
    if (direction === 'write') this.outputSide.gate.enabled = false;
    const first = this.failure === null;
    this.failure ??= error;
    if (direction !== undefined) this.timeouts.set(afterFailure);
    if (first) {
      this.callbacks.event(event ?? (direction ? { kind: 'error', direction, error } : { kind: 'error', error }));
      if (channels.error.hasSubscribers) channels.error.publish({ bufferevent: this, direction, error });
      this.closing.settle(causeOf(error, event));
    }
    this.outputSide.fail(this.failure);
    if (direction !== 'write') this.inputSide.fail(this.failure);
    if (direction === 'read' && !first) this.callbacks.upper?.lowerReadFailed(this.failure);
    this.layerStack?.connectionFailed(this.failure, event?.kind === 'timeout' && event.timeout === 'handshake');
    this.#followRates();
    if (this.closing.ending) this.finish(causeOf(error, event), false);
  }

  /** @internal A new attempt after a failed connect: what failed before is forgotten. */
  protected renewed(): void {
    this.failure = null;
    this.inputSide.failure = null;
    if (this.#outputSide !== null) this.#outputSide.failure = null;
    this.closing.renew();
  }

  /** @internal Whether `end()` waits for both sides to end. */
  protected get ending(): boolean {
    return this.closing.ending;
  }

  /** @internal Nobody will tell the peer's end: what has come until now is all. */
  protected endImplied(): void {
    this.inputSide.receivedEnd();
    this.finish({ kind: 'clean' }, false);
  }

  /**
   * @internal From now on, `upper` is told what the handlers would be told. Throws when somebody is over it already, and
   * after a failure, which would not be told again.
   */
  cover(upper: Upper): CoveredBufferevent {
    this.checkNotFreed();
    if (this.callbacks.upper !== null) {
      throw new BuffereventError('ERR_BUFFEREVENT_COVERED', 'another bufferevent lies over this one');
    }
    if (this.failure !== null) {
      throw new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'a bufferevent over one that has failed');
    }
    this.callbacks.upper = upper;
    const { callbacks, inputSide, outputSide, closing } = this;
    return new CoveredBufferevent(this as unknown as Bufferevent, callbacks, inputSide, outputSide, closing);
  }

  /** @internal For whoever lies over it, as the two after it. */
  get transportIsOpen(): boolean {
    return this.isOpen;
  }

  /** @internal */
  get transportIsAlive(): boolean {
    return this.isAlive;
  }

  /** @internal Whether the system has taken everything that went into the output. */
  get allSettled(): boolean {
    return (this.#outputSide === null || this.#outputSide.length === 0) && this.settled();
  }

  /** @internal Frees at the wish of whoever lies over it. Resolves when the transport is gone. */
  freeFor(abrupt: boolean): Promise<void> {
    if (this.closing.writeEnded && this.readEnded) this.closing.cause ??= { kind: 'clean' };
    if (abrupt) this.closeTransport(true);
    this.free();
    return this.closing.gone;
  }

  /** @internal The transport is closed and will say nothing more. */
  protected transportGone(): void {
    this.#transport = 'gone';
    if (this.freed) this.#letGo();
    if (this.freed || this.closing.finishing) this.closing.finished();
  }

  /** @internal As {@link transportGone}, for a transport that closes at once: the user hears first how it ended. */
  protected transportGoneSoon(): void {
    this.#transport = 'going';
    if (this.freed) this.transportGone();
    else {
      this.callbacks.whenDelivered(() => {
        if (this.#transport === 'going') this.transportGone();
      });
    }
  }

  /** What the system may have been reading until now. */
  #letGo(): void {
    this.#outputSide?.clear();
    this.layerStack?.free();
  }

  /** @internal */
  onTimeout(name: TimeoutName): void {
    const error = this.timeouts.error(name);
    switch (name) {
      case 'read':
      case 'write':
        this.callbacks.event({ kind: 'timeout', timeout: name, direction: name, error });
        this.side(name).gate.enabled = false;
        this.side(name).timedOut(error);
        this.wake();
        break;
      case 'handshake':
        this.failed(undefined, error, { kind: 'timeout', timeout: name, error });
        this.wake();
        break;
      case 'close':
        if (this.closing.finishing) {
          this.free();
          break;
        }
        this.callbacks.event({ kind: 'timeout', timeout: name, error });
        this.inputSide.timedOut(error);
        this.outputSide.timedOut(error);
        this.finish({ kind: 'timeout', timeout: name, error }, true);
        break;
      default:
        this.callbacks.event({ kind: 'timeout', timeout: name, error });
        this.inputSide.timedOut(error);
        this.outputSide.timedOut(error);
    }
  }

  /** @internal */
  protected side(direction: Direction): InputSide | OutputSide {
    return direction === 'read' ? this.inputSide : this.outputSide;
  }

  /** @internal Ends, when `end()` was called and both sides have. */
  protected checkEnded(): void {
    const { ending, writeEnded } = this.closing;
    if (ending && writeEnded && this.receivedAll) this.finish({ kind: 'clean' }, false);
  }

  /** @internal Closes the transport, and frees once the user has heard what there is to hear. */
  protected finish(cause: CloseCause, abrupt: boolean): void {
    if (this.closing.finishing) return;
    this.closing.finish();
    this.closing.cause ??= cause;
    this.closeTransport(abrupt);
    this.wake();
  }

  /**
   * @internal The turn is over and the transport is gone. After a clean end, bytes that nobody has taken yet keep the
   * input until they are, or until the close time-out has passed.
   */
  protected freeWhenTaken(): void {
    this.#followRates();
    if (!this.closing.finishing || this.freed) return;
    this.callbacks.whenDelivered(() => {
      if (this.inputSide.length === 0 || !this.closing.clean) this.free();
    });
  }

  /** @internal */
  protected checkNotFreed(): void {
    if (this.freed) throw freedError();
  }
}
