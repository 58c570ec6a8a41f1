import { type AddressPair, argumentTypeError, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import type { Evbuffer } from 'evbuffer';
import { checkBoolean, checkLayer, checkObject } from './arguments.js';
import { Bufferevent } from './bufferevent.js';
import type { CoveredBufferevent } from './covered.js';
import { freedError } from './errors.js';
import type { BuffereventEvent, BuffereventHandlers, Direction } from './events.js';
import type { FlushMode, Layer, LayerResult } from './layer.js';
import { framed } from './layer-stack.js';
import { passThrough } from './pass-through.js';

/**
 * Moves bytes from the front of `source` to the back of `target`, changed on the way; `limit` is the room there, a
 * suggestion (FI-1). What it leaves is offered again with the next arrival. What it throws is an `error` event of its
 * direction (FI-2), and so is an answer that is no {@link LayerResult}: it is synchronous, never an `async` function.
 */
export type FilterFunction = (source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode) => LayerResult;

export interface FilterOptions {
  /** From the underlying bufferevent to the user. Default: unchanged. */
  readonly input?: FilterFunction;
  /** From the user to the underlying bufferevent. Default: unchanged. */
  readonly output?: FilterFunction;
  /** Called once, when the filter is freed. */
  readonly dispose?: () => void;
  /** Shown by `inspect` and in messages. Default `filter`. */
  readonly name?: string;
  /** Instead of the four above: a layer, which the filter owns from then on and frees with itself. */
  readonly layer?: Layer;
  /** Free the underlying bufferevent with this one (the default), or give it back to its user (FR-4). */
  readonly closeOnFree?: boolean;
  readonly handlers?: BuffereventHandlers;
}

const optionNames: OptionNames<FilterOptions> = {
  input: true,
  output: true,
  dispose: true,
  name: true,
  layer: true,
  closeOnFree: true,
  handlers: true,
};

/**
 * A bufferevent over another one, whose bytes pass through two functions; over filters too, to any height. While it
 * lasts, the one below is not called back, and its reading follows that of the filter; its buffers, marks, limits and
 * time-outs stay its own.
 *
 *      user ⇄ filter's input/output ⇄ functions, layers ⇄ underlying's input/output ⇄ its transport
 *
 * Events of the one below are events of the filter (FI-9). Its end reaches the `input` function as mode `finished` before
 * it is told (FI-7).
 */
export class FilterBufferevent extends Bufferevent {
  readonly #underlying: Bufferevent;
  readonly #closeOnFree: boolean;
  #covered: CoveredBufferevent | null;
  #dirty = false;
  #opened = false;
  #endPassed = false;
  #endReceived = false;
  /** A time-out has disabled writing below too: enabling it here enables it there again (B53). */
  #lowerWriteTimedOut = false;
  /** The failure of the one below, held until its input was taken. */
  #lowerFailure: Extract<BuffereventEvent, { kind: 'error' }> | null = null;

  /**
   * @throws BuffereventError `ERR_BUFFEREVENT_COVERED` when another filter is over `underlying` already,
   *   `ERR_BUFFEREVENT_CLOSED` when it has failed, `ERR_BUFFEREVENT_FREED`; `TypeError`/`RangeError` for malformed and for
   *   unknown options; what the layer's `attach` throws. Nothing was taken over then.
   */
  constructor(underlying: Bufferevent, options: FilterOptions = {}) {
    checkUnderlying(underlying);
    checkObject('options', options);
    checkOptionNames('options', options, optionNames);
    checkBoolean('closeOnFree', options.closeOnFree);
    const layer = layerOf(options);
    super(underlying.base);
    this.#closeOnFree = options.closeOnFree ?? true;
    this.#underlying = underlying;
    if (options.handlers !== undefined) this.setHandlers(options.handlers);
    this.#covered = underlying.cover(this);
    this.base.enter(this);
    try {
      void this.insertLayer(layer);
    } catch (error) {
      // Of the layer's `attach`.
      const covered = this.#covered;
      this.#covered = null;
      this.base.leave(this);
      void covered.release(false, false);
      throw error;
    }
    if (this.#covered.isOpen) this.#open(false);
    this.wake();
  }

  override get underlying(): Bufferevent {
    return this.#underlying;
  }

  override get descriptor(): number {
    return this.#underlying.descriptor;
  }

  override get address(): AddressPair {
    return this.#underlying.address;
  }

  override ref(): void {
    this.#underlying.ref();
  }

  override unref(): void {
    this.#underlying.unref();
  }

  /** @internal */
  override holdProcess(change: number): void {
    this.#underlying.holdProcess(change);
  }

  /** @internal */
  protected override get isOpen(): boolean {
    return this.#opened && this.#covered !== null;
  }

  /** @internal */
  protected override get isAlive(): boolean {
    return this.#covered?.isAlive === true;
  }

  #open(announce: boolean): void {
    if (this.#opened) return;
    this.#opened = true;
    this.opened(announce);
  }

  /** @internal */
  override wake(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.base.markDirty(this);
  }

  /** @internal */
  lowerReadable(): void {
    this.#receive();
    this.wakeIfOwing();
  }

  /** @internal What was handed down is part of what this one has to send, and so is its progress. */
  lowerSent(): void {
    this.wroteSome();
    this.outputSide.checkDrained();
    this.wakeIfOwing();
  }

  /** @internal */
  lowerSettled(): void {
    this.outputSettled();
    // A layer below that has taken something in has made room, whether or not it had anything to send.
    this.wakeIfOwing();
  }

  /** @internal */
  lowerEnded(): void {
    this.layersEnded();
  }

  /** @internal */
  override get receivedAll(): boolean {
    return super.receivedAll && (!this.#awaitsLowerEnd() || this.#underlying.receivedAll);
  }

  /**
   * Whether an end of the one below is still to come, and of interest, behind that of the filter's own layers. A bare
   * transport has nothing more to say than they did, and one that is given back goes on.
   */
  #awaitsLowerEnd(): boolean {
    return this.#closeOnFree && this.#underlying.layers.length > 0;
  }

  /** @internal */
  lowerEvent(event: BuffereventEvent): void {
    switch (event.kind) {
      case 'connected':
        // Perhaps not at the first attempt.
        if (!this.#opened) this.renewed();
        this.#open(true);
        break;
      case 'eof':
        if (event.direction === 'read') {
          this.#receive();
          if (this.receivedAll) this.layersEnded();
        } else this.callbacks.event(event);
        break;
      case 'error':
        if (event.direction === 'read') this.#lowerFailure = event;
        else this.failed(event.direction, event.error, event);
        this.#receive();
        break;
      case 'peer-closed':
        this.callbacks.event(event);
        break;
      case 'timeout':
        this.#lowerTimedOut(event);
    }
    this.wake();
  }

  /** @internal */
  lowerReadFailed(error: Error): void {
    this.#lowerFailure = { kind: 'error', direction: 'read', error };
    this.#receive();
    this.wake();
  }

  /** @internal The bytes that were not taken are lost; a failure behind them is not. */
  lowerFreed(): void {
    if (this.#covered === null) return;
    const error = this.#lowerFailure?.error ?? freedError();
    this.#lowerFailure = null;
    this.failed('read', error);
    this.wake();
  }

  #lowerTimedOut(event: Extract<BuffereventEvent, { kind: 'timeout' }>): void {
    const { direction, error } = event;
    if (direction === undefined && event.timeout !== 'idle') {
      this.failed(undefined, error, event);
      return;
    }
    this.callbacks.event(event);
    if (direction !== 'write') this.inputSide.timedOut(error);
    if (direction !== 'read') this.outputSide.timedOut(error);
    if (direction === 'read') this.inputSide.gate.enabled = false;
    if (direction === 'write') {
      this.outputSide.gate.enabled = false;
      this.#lowerWriteTimedOut = true;
    }
  }

  /** @internal */
  reconcile(): void {
    this.#dirty = false;
    if (this.#covered === null) {
      this.freeWhenTaken();
      return;
    }
    if (!this.isOpen) return;
    this.pump();
    this.#receive();
    this.#send();
    if (!this.timeouts.timesProgress || !this.isOpen) return;
    this.timeouts.follow(this.isReading(this.readAllowance()), this.#isWriting());
  }

  /** Whether bytes of this one wait for the peer, here or below (TO-3). */
  #isWriting(): boolean {
    return this.outputSide.gate.enabled && (this.writeAllowance() > 0 || this.#covered?.settled === false);
  }

  /** Takes what is there below, as far as it is wanted; the one below reads on while it is. */
  #receive(): void {
    if (!this.isOpen) return;
    const { input } = this.#underlying;
    let room = this.readAllowance();
    for (; room > 0 && input.length > 0 && this.isOpen; room = this.readAllowance()) {
      this.receivedFrom(input, Math.min(room, input.length));
    }
    const covered = this.#covered;
    if (covered === null) return;
    const awaitsEnd = super.receivedAll && !this.receivedAll && (this.ending || this.callbacks.upper !== null);
    if (awaitsEnd) input.drain(input.length);
    covered.wantRead(awaitsEnd || room > 0);
    if (input.length > 0) return;
    if (this.#lowerFailure !== null) {
      const { direction, error } = this.#lowerFailure;
      this.#lowerFailure = null;
      this.failed(direction, error);
    } else if (this.#underlying.readEnded && !this.#endReceived) {
      this.#endReceived = true;
      this.receivedEnd();
    }
  }

  /**
   * Hands down what is encoded, within the mark below unless `flushing` (FI-6), then the end. What the layers have added to
   * as many bytes as fit, the frame of a record for instance, goes with them, but never past the hard cap below.
   */
  #send(flushing = false): void {
    const covered = this.#covered;
    if (covered === null) return;
    if (this.#lowerWriteTimedOut && this.outputSide.gate.enabled) {
      this.#lowerWriteTimedOut = false;
      covered.resumeWriting();
    }
    const { output, highMark: high } = covered;
    const room = flushing || high === 0 ? Infinity : Math.max(0, high - output.length);
    const cap = Math.min(framed(high), this.base.limits.outputMaxBytes) - output.length;
    const count = room === 0 ? 0 : Math.min(this.writeAllowance(), Math.max(room, cap));
    if (count > 0) {
      if (covered.writeClosed) this.failed('write', covered.closedError());
      else this.takeSendable(output, count);
    }
    if (!this.wantsShutdown || this.#endPassed) return;
    // One that is given back stays open: only what belongs to the filter ends.
    if (!this.#closeOnFree) {
      if (!covered.settled) return;
      this.#endPassed = true;
      this.sentEnd();
      if (this.ending && !this.layers.some(({ end }) => end !== undefined)) this.endImplied();
    } else {
      this.#endPassed = true;
      covered.end(() => this.sentEnd());
    }
  }

  /** @internal */
  override wireRoom(held: number): number {
    const covered = this.#covered;
    if (covered === null) return 0;
    const { highMark: high } = covered;
    return high === 0 ? super.wireRoom(held) : Math.max(0, high - covered.output.length - held);
  }

  /** @internal */
  override settled(): boolean {
    return super.settled() && this.#covered?.settled !== false;
  }

  /** @internal */
  protected override flushTransport(direction: Direction, mode: FlushMode): boolean {
    if (direction === 'read') {
      const moved = this.#covered?.flush(direction, mode) === true;
      const { input } = this.#underlying;
      if (mode !== 'normal' && input.length > 0) this.receivedFrom(input, input.length);
      this.#receive();
      return moved;
    }
    this.#send(mode !== 'normal');
    return this.#covered?.flush(direction, mode) === true;
  }

  /** @internal Stays a member of the base until freed: bytes that nobody has taken yet end with the base. */
  protected override closeTransport(abrupt: boolean): void {
    this.timeouts.rest();
    if (this.freed) this.base.leave(this);
    const covered = this.#covered;
    if (covered === null) return;
    this.#covered = null;
    void covered.release(this.#closeOnFree, abrupt).then(() => this.transportGoneSoon());
  }

  /** @internal */
  abandon(): void {
    this.free();
  }
}

/** The two functions as a layer without handshake and end marker; not called with nothing to do (FI-3). */
class FilterLayer implements Layer {
  readonly name: string;
  readonly #input: FilterFunction;
  readonly #output: FilterFunction;
  /** The last call of each stopped at its limit, and may have held something back. */
  #inputCut = false;
  #outputCut = false;
  readonly free: () => void;

  constructor({ name = 'filter', input = passThrough, output = passThrough, dispose = nothing }: FilterOptions) {
    for (const [key, value] of Object.entries({ input, output, dispose })) {
      if (typeof value !== 'function') throw argumentTypeError(`options.${key}`, 'a function', value);
    }
    this.name = name;
    this.#input = input;
    this.#output = output;
    this.free = dispose;
  }

  decode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    if (mode === 'normal' && source.length === 0 && !this.#inputCut) return 'need-more';
    const before = target.length;
    const result = this.#input(source, target, limit, mode);
    this.#inputCut = target.length - before >= limit;
    return result;
  }

  encode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    if (mode === 'normal' && source.length === 0 && !this.#outputCut) return 'need-more';
    const before = target.length;
    const result = this.#output(source, target, limit, mode);
    this.#outputCut = target.length - before >= limit;
    return result;
  }
}

function layerOf(options: FilterOptions): Layer {
  const { layer } = options;
  if (layer === undefined) return new FilterLayer(options);
  checkLayer(layer);
  for (const key of ['input', 'output', 'dispose', 'name'] as const) {
    if (options[key] !== undefined) throw argumentTypeError(`options.${key}`, 'left out beside a layer', options[key]);
  }
  return layer;
}

function nothing(): void {}

function checkUnderlying(value: unknown): void {
  if (typeof (value as Bufferevent | null)?.cover !== 'function') {
    throw argumentTypeError('underlying', 'a Bufferevent', value);
  }
}
