import type { InspectOptions } from 'node:util';
import { type AddressPair, argumentRangeError, argumentTypeError } from 'bufferevent-backend';
import type { EolStyle, Evbuffer, EvbufferEncoding, LeaseOwner } from 'evbuffer';
import {
  checkDirection,
  checkFlushMode,
  checkHandlers,
  checkInteger,
  checkLayer,
  checkLimit,
  checkObject,
  checkSignal,
  connectionHandlers,
} from './arguments.js';
import { PendingCallbacks, type Upper } from './callbacks.js';
import { Closing, causeOf } from './closing.js';
import { ConnectionLayers } from './connection-layers.js';
import { CoveredBufferevent } from './covered.js';
import { channels } from './diagnostics.js';
import { BuffereventError, freedError } from './errors.js';
import { checkBase, type EventBase } from './event-base.js';
import type { BuffereventEvent, BuffereventHandlers, CloseCause, Direction, TimeoutName } from './events.js';
import type { SuspendReason } from './gate.js';
import { InputSide } from './input-side.js';
import { inspectBufferevent } from './inspect.js';
import type { FlushMode, Layer } from './layer.js';
import { LineIterator } from './line-iterator.js';
import { OutputSide } from './output-side.js';
import { OutputTap } from './output-tap.js';
import {
  ChunkPull,
  ExactPull,
  LinePull,
  lineForm,
  type Pull,
  type PullOptions,
  type ReadLineOptions,
  type ReadOptions,
} from './pull.js';
import type { RateLimitGroup, RateLimitOptions } from './rate-limit/group.js';
import { type CountedBytes, RateLimits } from './rate-limit/limits.js';
import { checkConfig, checkCount, type TokenBucketConfig } from './rate-limit/token-bucket.js';
import type { BuffereventStats } from './stats.js';
import { type TimeoutOptions, Timeouts } from './timeouts.js';
import type { Watermarks } from './watermarks.js';

export interface InsertLayerOptions {
  /**
   * What becomes of bytes that arrived before the layer and were not taken: `refuse` throws (the default: after an
   * agreement to go on under a layer they may be somebody else's), `decode` gives them to the layer, `keep` leaves them
   * in the input, in front of what it decodes.
   */
  readonly surplus?: 'refuse' | 'decode' | 'keep';
}

/**
 * A buffered connection: what arrives gathers in `input`, what is written leaves from `output`, and the user hears of
 * it through handlers or pulls. This class holds what every kind shares; a kind moves the bytes.
 *
 *      peer ──► [ transport ] ── received ──► input side ──► onRead, read(), readLine(), for await
 *      peer ◄── [ transport ] ◄── sent ────── output side ◄── write()
 *
 * `docs/bufferevent-contract.md` says what users may rely on.
 */
export abstract class Bufferevent implements AsyncDisposable, AsyncIterable<Uint8Array> {
  readonly base: EventBase;
  /** The user's own, per connection; never looked at. */
  context: unknown = undefined;

  /** @internal */
  protected readonly inputSide: InputSide;
  /** @internal */
  protected readonly outputSide: OutputSide;
  /** @internal */
  protected readonly timeouts: Timeouts;
  /** @internal */
  protected readonly callbacks: PendingCallbacks;
  readonly #closing: Closing = new Closing();
  /** `null` for a connection that was never limited. */
  #rates: RateLimits | null = null;
  #layers: ConnectionLayers | null = null;
  /** The `connected` event waits for the layers' handshakes. */
  #announcing = false;
  #failure: Error | null = null;
  #freed = false;

  /** @internal */
  constructor(base: EventBase) {
    checkBase(base);
    this.base = base;
    this.callbacks = new PendingCallbacks(this, base);
    this.timeouts = new Timeouts(base, this);
    this.inputSide = new InputSide(base.limits, this.callbacks, this.#closing, this);
    this.outputSide = new OutputSide(base.limits, this.callbacks, this);
  }

  /** Bytes that have arrived: take them with `remove`, `drain`, `readLine`, `moveTo`. Users can't add at the back. */
  get input(): Evbuffer {
    return this.inputSide.buffer;
  }

  /** Bytes that wait to be sent: add with `write()` or directly. Users can't take from the front. */
  get output(): Evbuffer {
    return this.outputSide.buffer;
  }

  /**
   * Sets who hears of this connection; `null` for nobody. Fires nothing for bytes that are already there (RD-3). The
   * handlers run in the asynchronous context in force now.
   */
  setHandlers(handlers: BuffereventHandlers | null): void {
    this.#checkNotFreed();
    if (handlers !== null) checkHandlers(handlers, connectionHandlers);
    this.callbacks.setHandlers(handlers, handlers === null ? null : this.base.captureContext());
  }

  get handlers(): BuffereventHandlers | null {
    return this.callbacks.handlers;
  }

  /**
   * How urgent the callbacks of this connection are: 0 to `base.priorities - 1`, 0 first; by default in the middle. In a
   * turn those of a less urgent connection run after all of more urgent ones that wait. Setting it counts from the next
   * callback on. Throws `RangeError` for a level that the base does not have.
   */
  get priority(): number {
    return this.callbacks.priority;
  }

  set priority(level: number) {
    this.#checkNotFreed();
    checkInteger('priority', level, 0);
    if (level >= this.base.priorities) {
      throw argumentRangeError('priority', `below the ${this.base.priorities} of the base`, level);
    }
    this.callbacks.priority = level;
  }

  /** Queues `onRead` or `onWrite` if the low mark allows it, or anyway with `ignoreWatermarks`. */
  trigger(direction: Direction, options: { readonly ignoreWatermarks?: boolean } = {}): void {
    this.#checkNotFreed();
    checkObject('options', options);
    const ignore = options.ignoreWatermarks ?? false;
    if (checkDirection(direction) === 'read') {
      if (ignore || this.inputSide.length >= this.inputSide.marks.low) this.callbacks.readable(true);
    } else if (ignore || this.outputSide.length <= this.outputSide.marks.low) this.callbacks.writable();
  }

  /** Queues `onEvent` with any event, passed through unchanged (CB-9). */
  triggerEvent(event: BuffereventEvent): void {
    this.#checkNotFreed();
    checkObject('event', event);
    this.callbacks.event(event);
  }

  /**
   * Lets directions act. A new bufferevent writes but does not read. Restarts the time-out of the direction (TO-2);
   * enabling writing on an open connection with nothing queued calls `onWrite` once (WR-3).
   */
  enable(...directions: Direction[]): void {
    this.#checkNotFreed();
    for (const direction of directions.map(checkDirection)) {
      const { gate, failure } = this.#side(direction);
      const idle = this.isOpen && failure === null && this.outputSide.length === 0;
      if (direction === 'write' && !gate.enabled && idle) this.callbacks.writable();
      gate.enabled = true;
      this.timeouts.touch(direction);
    }
    this.wake();
  }

  /** Stops directions; an operation in flight is called back or ends by itself, and no byte is lost. */
  disable(...directions: Direction[]): void {
    this.#checkNotFreed();
    for (const direction of directions.map(checkDirection)) {
      this.#side(direction).gate.enabled = false;
    }
    this.wake();
  }

  /** What the user asked for, less the directions that an end, an error or a time-out disabled. */
  get enabled(): readonly Direction[] {
    const directions: Direction[] = [];
    if (this.inputSide.gate.enabled) directions.push('read');
    if (this.outputSide.gate.enabled) directions.push('write');
    return directions;
  }

  /**
   * Sets marks in bytes; what is omitted stays. Reading: `onRead` waits for `low`, reading rests at `high` (0: never).
   * Writing: `onWrite` waits until no more than `low` is left, `write()` returns false above `high` (0: never). Calls
   * nothing by itself (RD-3). Throws `RangeError` for a low mark above the high one (RD-6).
   */
  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    this.#checkNotFreed();
    this.#side(checkDirection(direction)).setMarks(marks);
    this.wake();
  }

  getWatermarks(direction: Direction): Watermarks {
    return this.#side(checkDirection(direction)).marks;
  }

  /**
   * Sets time-outs in milliseconds; 0 or `null` clears one, what is omitted stays. `readMs` and `writeMs` count while
   * reading or writing is really tried and nothing moves (TO-1, TO-3), `idleMs` while nothing moves either way,
   * `connectMs` from `connect()` on, `closeMs` from the last progress after `end()` on.
   */
  setTimeouts(timeouts: TimeoutOptions): void {
    this.#checkNotFreed();
    this.timeouts.set(timeouts);
    if (this.isOpen && this.#failure !== null) this.timeouts.set(afterFailure);
    if (this.isOpen) {
      this.timeouts.start('idle');
      if (this.#layers?.isOpen === false && this.#failure === null) this.timeouts.start('handshake');
    } else if (this.isAlive) this.timeouts.start('connect');
    if (this.#closing.ending) this.timeouts.start('close');
    this.wake();
  }

  /**
   * Limits how fast bytes are received and sent; `null` lifts the limit. The first limit starts with one tick's worth;
   * another one cuts what was saved up to its bursts, and never adds any; the same object does nothing.
   *
   * @param options `count`: the bytes on the wire (the default), or those of the user
   */
  setRateLimit(config: TokenBucketConfig | null, options: RateLimitOptions = {}): void {
    this.#checkNotFreed();
    if (config !== null) checkConfig(config);
    checkObject('options', options);
    const { count = 'wire' } = options;
    checkCount(count);
    if (config !== null || this.#rates !== null) this.limited().configure(config, count);
  }

  /** The limit of its own, not that of its group. */
  get rateLimit(): TokenBucketConfig | null {
    return this.#rates?.config ?? null;
  }

  get rateLimitGroup(): RateLimitGroup | null {
    return this.#rates?.group ?? null;
  }

  /** Bytes left of its own limit, whatever its group has; negative for a deficit, `Infinity` without a limit. */
  get readLimit(): number {
    return this.#rates?.read.level ?? Infinity;
  }

  get writeLimit(): number {
    return this.#rates?.write.level ?? Infinity;
  }

  /**
   * Charges its own limit for bytes that did not move here; a negative number gives some back, up to the burst (RL-5).
   * Does nothing without a limit. The group is not concerned.
   */
  debitRead(bytes: number): void {
    this.#debit('read', bytes);
  }

  debitWrite(bytes: number): void {
    this.#debit('write', bytes);
  }

  /** What one receive would be allowed to bring now, at least 0: the least of all limits of the rate and `maxSingleRead`. */
  get maxToRead(): number {
    return Math.min(this.#rates?.read.most ?? Infinity, this.base.limits.bytesPerTurn);
  }

  get maxToWrite(): number {
    return Math.min(this.#rates?.write.most ?? Infinity, this.base.limits.bytesPerTurn);
  }

  /** The most that one receive brings, in bytes. Default, and upper bound: `bytesPerTurn` of the base (RL-6). */
  get maxSingleRead(): number {
    return Math.min(this.#rates?.read.maxSingle ?? Infinity, this.base.limits.bytesPerTurn);
  }

  set maxSingleRead(bytes: number) {
    this.#setMaxSingle('read', bytes);
  }

  /** The most that is handed to the system at a time; as {@link maxSingleRead}. */
  get maxSingleWrite(): number {
    return Math.min(this.#rates?.write.maxSingle ?? Infinity, this.base.limits.bytesPerTurn);
  }

  set maxSingleWrite(bytes: number) {
    this.#setMaxSingle('write', bytes);
  }

  #debit(direction: Direction, bytes: number): void {
    this.#checkNotFreed();
    checkInteger('bytes', bytes, Number.MIN_SAFE_INTEGER);
    this.#rates?.side(direction).debit(bytes);
  }

  #setMaxSingle(direction: Direction, bytes: number): void {
    this.#checkNotFreed();
    checkLimit('bytes', bytes, 1);
    this.limited().side(direction).maxSingle = bytes;
    this.wake();
  }

  /** @internal Its limits, for a group too; made by the first who asks. */
  limited(): RateLimits {
    this.#checkNotFreed();
    this.#rates ??= new RateLimits(this.base, this.inputSide.gate, this.outputSide.gate, () => this.wake());
    return this.#rates;
  }

  /**
   * Queues bytes: copies a string or an array of bytes, moves everything out of an `Evbuffer` without copying. Works
   * in any state before `end()`; what is queued leaves when it can (WR-5). After a failure the bytes are dropped.
   *
   * @returns whether more is welcome: false above the high mark, then wait for `onWrite` or `drained()`
   * @throws BuffereventError `ERR_BUFFEREVENT_OUTPUT_LIMIT` above the hard cap: nothing is added, the connection is
   *   given up with an `error` event. `ERR_BUFFEREVENT_WRITE_AFTER_END`, `ERR_BUFFEREVENT_FREED`.
   */
  write(data: string | Uint8Array | Evbuffer, encoding?: EvbufferEncoding): boolean {
    this.#checkNotFreed();
    if (this.#closing.writeClosed) {
      throw new BuffereventError('ERR_BUFFEREVENT_WRITE_AFTER_END', 'write after the end of the output');
    }
    return this.outputSide.write(data, encoding);
  }

  /** Resolves when the output is empty and the system has taken the last byte; rejects when that can't happen any more. */
  drained(options: PullOptions = {}): Promise<void> {
    checkObject('options', options);
    return this.outputSide.drained(options.signal);
  }

  /**
   * Waits for bytes and takes them out of the input, copied into an array of their own. Reading goes on while somebody
   * waits, also when it is not enabled. Pulls are served in the order in which they were made, before `onRead`.
   *
   * @param count exactly so many; omitted: whatever is there, at least one
   * @returns `null` at a clean end. Rejects with `ERR_BUFFEREVENT_UNEXPECTED_END` when the end comes in between (the
   *   bytes stay in `input`), `ERR_BUFFEREVENT_READ_LIMIT` for more than `maxBytes`, or the failure of the connection.
   */
  read(count?: number, options: ReadOptions = {}): Promise<Uint8Array | null> {
    checkObject('options', options);
    const { maxBytes = this.base.limits.readMaxBytes, signal } = options;
    checkLimit('maxBytes', maxBytes, 1);
    checkSignal(signal);
    if (count === undefined) return this.inputSide.pull(new ChunkPull(), signal);
    checkInteger('count', count, 1);
    if (count > maxBytes) {
      const message = `a read of ${count} bytes is above the limit of ${maxBytes}`;
      return Promise.reject(new BuffereventError('ERR_BUFFEREVENT_READ_LIMIT', message));
    }
    return this.inputSide.pull(new ExactPull(count), signal);
  }

  /**
   * Waits for a line and takes it, without its terminator. As {@link read}; `ERR_BUFFEREVENT_LINE_LIMIT` for a line of
   * more than `maxBytes` (the bytes stay in `input`).
   */
  readLine(style: EolStyle = 'crlf', options: ReadLineOptions = {}): Promise<string | null> {
    const form = lineForm(style, options, this.base.limits);
    return this.inputSide.pull(new LinePull(form, asItIs), form.signal);
  }

  /**
   * The lines as they come, until the end, for `for await`; each as {@link readLine} gives it, which is also how it
   * fails. Reads only while the loop waits. Leaving the loop closes nothing, and loses nothing: what was not looped over
   * is still in `input`. The fastest way to pull many lines: those that are there already cost no wake-up.
   */
  lines(style: EolStyle = 'crlf', options: ReadLineOptions = {}): AsyncIterableIterator<string, undefined> {
    return new LineIterator(this.inputSide, lineForm(style, options, this.base.limits));
  }

  /** The bytes as they come, until the end. Reads only while the loop waits; leaving the loop closes nothing. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = await this.read();
      if (chunk === null) return;
      yield chunk;
    }
  }

  /** Whether the peer has ended its side. */
  get readEnded(): boolean {
    return this.inputSide.ended;
  }

  /** Whether our side has ended: everything was sent, and the end after it. */
  get writeEnded(): boolean {
    return this.#closing.writeEnded;
  }

  get freed(): boolean {
    return this.#freed;
  }

  /** Ends our side after what is queued. Reading goes on; further writes throw. */
  halfClose(): void {
    this.#checkNotFreed();
    this.#closing.writeClosed = true;
    this.outputSide.close();
    this.wake();
  }

  /**
   * Closes cleanly: sends what is queued, ends our side, waits for the peer's end, closes, frees. Meanwhile bytes go on
   * to reach handlers while reading is enabled, and pulls; without either they gather up to the high mark and are then
   * discarded. After `closeMs` without progress the connection is reset instead. Never rejects; the answer is that of
   * {@link closed}, given when the transport is gone. `free()` may be called at any time to stop waiting.
   */
  end(): Promise<CloseCause> {
    if (!this.#freed && !this.#closing.ending) {
      this.#closing.ending = true;
      this.#closing.writeClosed = true;
      this.outputSide.close();
      this.outputSide.gate.enabled = true;
      if (!this.isAlive) {
        this.#finish({ kind: 'freed' }, false);
        this.freeWhenTaken();
      } else if (this.#failure !== null) this.#finish({ kind: 'freed' }, false);
      else {
        this.timeouts.start('close');
        this.wake();
        this.#checkEnded();
      }
    }
    return this.#closing.gone.then(() => this.closed);
  }

  /**
   * Closes abruptly and lets go of everything. Synchronous and idempotent; queued output is dropped, nothing is called
   * afterwards, waiting pulls reject with `ERR_BUFFEREVENT_FREED` (FR-1, FR-3).
   */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#closing.cause ??= { kind: 'freed' };
    this.callbacks.drop();
    this.timeouts.cancel();
    this.#rates?.free();
    this.#rates = null;
    this.inputSide.free();
    this.outputSide.free();
    this.closeTransport(false);
    if (this.#transport === 'going') this.transportGone();
    else if (this.#transport === 'gone') {
      this.#letGo();
      this.#closing.finished();
    }
    this.#tap?.close();
    if (channels.close.hasSubscribers) channels.close.publish({ bufferevent: this, cause: this.#closing.cause });
  }

  /**
   * Puts a layer under this connection: what is written from now on, and what arrives from now on, passes through it.
   * The object, its handlers, marks, limits and time-outs stay. What was written before leaves unchanged, in front of
   * the layer's first byte. A handshake begins when the connection is open; its end is a `connected` event, its failure
   * an `error` without a direction, or `timeout` with the name `handshake`. The connection owns the layer from then on,
   * and frees it with itself.
   *
   * @returns a promise of the layer being open; nobody has to look at it
   * @throws BuffereventError `ERR_BUFFEREVENT_SURPLUS_INPUT` for untaken input, see {@link InsertLayerOptions};
   *   `ERR_BUFFEREVENT_CLOSED` after the end of either side, or a failure; `TypeError` for what is no layer; whatever the
   *   layer's `attach` throws. Nothing has changed then, and the layer stays the caller's.
   */
  insertLayer(layer: Layer, options: InsertLayerOptions = {}): Promise<void> {
    this.#checkNotFreed();
    checkLayer(layer);
    const surplus = checkSurplus(options);
    if (this.#closing.writeClosed || this.inputSide.ended || this.#failure !== null) {
      throw new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'insertLayer() on a connection that has ended');
    }
    if (surplus === 'refuse' && this.inputSide.length > 0) {
      const message = `${this.inputSide.length} bytes arrived before the layer was inserted`;
      throw new BuffereventError('ERR_BUFFEREVENT_SURPLUS_INPUT', message);
    }
    const layers = this.#layers ?? new ConnectionLayers(this, this.inputSide, this.outputSide);
    const opened = layers.push(layer);
    if (layer.handshakeMs !== undefined) this.timeouts.set({ handshakeMs: layer.handshakeMs });
    const first = this.#layers === null;
    this.#layers = layers;
    if (this.isOpen) {
      if (!layers.isOpen) this.timeouts.start('handshake');
      if (first) layers.start();
    }
    if (surplus === 'decode') layers.takeBack(this.input);
    this.wake();
    return opened;
  }

  /** The open descriptor, where `backend.supports.descriptors`; -1 while there is none, and for pairs. That of the lowest. */
  get descriptor(): number {
    return -1;
  }

  /** The two ends while connected; `null` for what is not known. Those of the lowest bufferevent. */
  get address(): AddressPair {
    return { local: null, peer: null };
  }

  /** Lets what this connection waits for keep the process alive (the default). Pairs never do. */
  ref(): void {}

  /** Lets the process exit although this connection waits for something. */
  unref(): void {}

  /** The layers under this connection, from the transport up. */
  get layers(): readonly Layer[] {
    return this.#layers?.list ?? [];
  }

  /** The bufferevent below this one; `null` for those that stand on a transport of their own. */
  get underlying(): Bufferevent | null {
    return null;
  }

  /**
   * Does now what would be done by and by. `normal`: moves what may move (one direction, without waiting for the end of
   * the turn). `flush`: layers hold nothing back. `finished`: layers end their stream, too; a pair tells its partner the
   * end. Every mode goes down the whole stack, and the call never waits: under a layer that works elsewhere, such as
   * those of `bufferevent/codecs`, it goes on by itself when that is done. (FI-3, PA-3, PA-4)
   *
   * @returns whether something moved
   */
  flush(direction: Direction, mode: FlushMode = 'normal'): boolean {
    this.#checkNotFreed();
    checkDirection(direction);
    checkFlushMode(mode);
    if (direction === 'read') {
      // The way of the bytes, from the transport up.
      const moved = this.#flushTransport(direction, mode);
      return (this.isOpen && this.#layers?.flush(direction, mode) === true) || moved;
    }
    const moved = this.isOpen && this.#layers?.flush(direction, mode) === true;
    if (this.#layers?.isFlushing === true) return moved;
    return this.#flushTransport(direction, mode) || moved;
  }

  #flushTransport(direction: Direction, mode: FlushMode): boolean {
    return this.isOpen && this.flushTransport(direction, mode);
  }

  /** @internal The transport's part of {@link flush}. @returns whether something moved */
  protected abstract flushTransport(direction: Direction, mode: FlushMode): boolean;

  /** Counts since the connection was made, and what is suspended; a copy. */
  stats(): BuffereventStats {
    const { inputSide, outputSide } = this;
    return {
      bytesReceived: this.#layers?.wireReceived ?? inputSide.receivedBytes,
      bytesSent: this.#layers?.wireSent ?? outputSide.sentBytes,
      payloadReceived: inputSide.receivedBytes,
      payloadSent: outputSide.sentBytes,
      receives: inputSide.receives,
      sends: outputSide.sends,
      inputLength: this.inputSide.length,
      outputLength: this.outputSide.length,
      suspended: { read: inputSide.gate.reasons, write: outputSide.gate.reasons },
      suspensions: { read: inputSide.gate.suspensions, write: outputSide.gate.suspensions },
    };
  }

  /** @internal */
  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options: InspectOptions): string {
    return inspectBufferevent(this, this.#state, depth, options);
  }

  get #state(): string {
    if (this.#freed) return 'freed';
    if (this.#failure !== null) return 'failed';
    if (this.#closing.ending) return 'ending';
    if (!this.isOpen) return this.isAlive ? 'connecting' : 'unconnected';
    return this.#layers?.isOpen === false ? 'handshaking' : 'open';
  }

  /** How the connection ended. Never rejects; resolves at the first failure, or when `end()` or `free()` has closed. */
  get closed(): Promise<CloseCause> {
    return this.#closing.closed;
  }

  /** `end()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** @internal Whether there still is something to tell `onRead` when its turn comes. */
  get hasReadableInput(): boolean {
    return this.inputSide.readable;
  }

  /** @internal Connected: bytes can move. */
  protected abstract get isOpen(): boolean;
  /** @internal Connected or on the way there. */
  protected abstract get isAlive(): boolean;
  /** @internal Something changed: look at the allowances again at the end of the turn. */
  abstract wake(): void;
  /** @internal Closes, at once; tells {@link transportGone} when that is done. May be called more than once. */
  protected abstract closeTransport(abrupt: boolean): void;

  /** @internal Whether the transport's end of our side is due now. */
  protected get wantsShutdown(): boolean {
    if (!this.#closing.writeClosed || this.#freed || this.outputSide.length > 0 || this.outputSide.failure !== null) {
      return false;
    }
    return this.#layers === null || (this.#layers.ended && this.#layers.wire.length === 0);
  }

  /** @internal Bytes that the transport may receive now; 0: it should not try. */
  protected readAllowance(): number {
    return this.#limit('read', this.#receivableBytes(), this.#layers === null ? 'both' : 'wire');
  }

  #receivableBytes(): number {
    if (this.#layers === null) return this.inputSide.allowance();
    if (this.#freed || this.inputSide.failure !== null || this.#closing.finishing) return 0;
    return this.#layers.appetite();
  }

  /** @internal Whether payload is waited for: what layers read for themselves has no read time-out (TO-1). */
  protected isReading(allowance: number): boolean {
    return allowance > 0 && (this.#layers === null || this.inputSide.allowance() > 0);
  }

  /** @internal Bytes that the transport may take from {@link sendable} now. Asks the rate limits: for who will take them. */
  protected writeAllowance(): number {
    return this.#limit('write', this.sendableBytes(), this.#sentBytes);
  }

  /** @internal As {@link writeAllowance}, whatever the rate limits say. */
  protected sendableBytes(): number {
    const layers = this.#layers;
    if (layers === null) return this.outputSide.allowance();
    if (layers.rawBytes > 0) return Math.min(layers.rawBytes, this.outputSide.allowance());
    if (this.#freed || this.outputSide.failure !== null) return 0;
    return Math.min(layers.wire.length, this.base.limits.bytesPerTurn);
  }

  /** @internal Layers may have more to send whenever there is room. */
  protected get isLayered(): boolean {
    return this.#layers !== null;
  }

  /** Which bytes {@link sendable} holds: those of the user, where no layer has them first. */
  get #sentBytes(): CountedBytes {
    return this.#layers === null || this.#layers.rawBytes > 0 ? 'both' : 'wire';
  }

  #limit(direction: Direction, most: number, bytes: CountedBytes): number {
    return this.#rates === null || most <= 0 ? most : Math.min(most, this.#rates.side(direction).allowance(bytes));
  }

  /** @internal For layers: what of `most` bytes of the user may pass now. */
  limitPayload(direction: Direction, most: number): number {
    return this.#limit(direction, most, 'payload');
  }

  /** @internal For layers: bytes of the user have passed. */
  payloadMoved(direction: Direction, count: number): void {
    this.#rates?.side(direction).moved(count, 'payload');
  }

  /** @internal What the transport sends from. */
  protected get sendable(): Evbuffer {
    return this.#layers === null || this.#layers.rawBytes > 0 ? this.output : this.#layers.wire;
  }

  /**
   * @internal As {@link sent}, for a transport that moves up to `max` bytes to the back of `target` itself; `deliver` is
   * called when they are there, before anybody hears that they have left.
   */
  protected takeSendable(target: Evbuffer, max: number, deliver?: (count: number) => void): number {
    if (this.#layers === null) {
      this.#tap ??= new OutputTap(this.outputSide, {
        tapFilled: () => this.base.inTurn(() => this.wake()),
        tapFailed: (error) => this.failed('write', error),
      });
    }
    const bytes = this.#sentBytes;
    let count: number;
    if (this.#layers === null) {
      count = (this.#tap as OutputTap).moveTo(target, max);
      if (count === 0) return 0;
      deliver?.(count);
      this.outputSide.left(count);
    } else {
      if (this.#layers.rawBytes > 0) count = this.#layers.takeRaw(target, max);
      else {
        count = this.#layers.wire.moveTo(target, max);
        this.#layers.sentWire(count);
      }
      if (count === 0) return 0;
      deliver?.(count);
    }
    this.#wroteSome(count, bytes);
    return count;
  }

  #tap: OutputTap | null = null;

  /** @internal What layers have to do is done, before the transport looks at its allowances. */
  protected pump(): void {
    if (this.#layers !== null) {
      this.#layers.pump();
      // Where the end came from a layer, there is nothing below to ask for it again (EV-4).
      if (this.inputSide.ended && this.inputSide.gate.enabled) this.payloadEnded();
    }
    this.inputSide.discardIfStuck();
  }

  /**
   * @internal Connected: bytes can move from now on. `announce`: the user is to hear of it, after the handshakes of the
   * layers.
   */
  protected opened(announce: boolean): void {
    if (this.#closing.ending) this.timeouts.touch('close');
    this.timeouts.start('idle');
    this.#announcing = announce;
    if (channels.open.hasSubscribers) channels.open.publish({ bufferevent: this });
    if (this.#layers === null) this.layersOpened(false);
    else {
      if (!this.#layers.isOpen) this.timeouts.start('handshake');
      this.#layers.start();
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
    return this.#closing.writeClosed && this.outputSide.length === 0;
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
    this.timeouts.progress('read');
    this.#rates?.read.moved(end - start, this.#layers === null ? 'both' : 'wire');
    if (this.#layers === null) this.inputSide.received(memory, start, end, owner, lease);
    else this.#layers.received(memory, start, end, owner, lease);
  }

  /** @internal The first `count` bytes of `source` arrived; they are moved. */
  protected receivedFrom(source: Evbuffer, count: number): void {
    if (!this.isOpen) {
      source.drain(count);
      return;
    }
    this.timeouts.progress('read');
    this.#rates?.read.moved(count, this.#layers === null ? 'both' : 'wire');
    if (this.#layers === null) this.inputSide.receivedFrom(source, count);
    else this.#layers.receivedFrom(source, count);
  }

  /** @internal The transport's end was reached. */
  protected receivedEnd(): void {
    if (this.#layers === null) this.payloadEnded();
    else this.#layers.receivedEnd();
  }

  /** @internal The peer ended its side, and all that came before was delivered. */
  payloadEnded(): void {
    this.inputSide.receivedEnd();
    this.callbacks.event({ kind: 'eof', direction: 'read' });
    this.#checkEnded();
  }

  /** @internal The layers below the one that told the end have heard theirs. */
  layersEnded(): void {
    this.#checkEnded();
    this.callbacks.upper?.lowerEnded();
  }

  /** @internal Whether nothing more is to come: behind the end of the payload, layers below may have theirs. */
  get receivedAll(): boolean {
    return this.readEnded && this.#layers?.decodingEnded !== false;
  }

  /** @internal The first `count` bytes of {@link sendable} were taken; they are unpinned. */
  protected sent(count: number): void {
    const layers = this.#layers;
    const bytes = this.#sentBytes;
    if (layers === null) this.outputSide.sent(count);
    else if (layers.rawBytes > 0) {
      this.outputSide.sent(count);
      layers.sentRaw(count);
    } else {
      layers.wire.drain(count);
      layers.sentWire(count);
    }
    this.#wroteSome(count, bytes);
  }

  #wroteSome(count: number, bytes: CountedBytes): void {
    this.#rates?.write.moved(count, bytes);
    this.wroteSome();
  }

  /** @internal Bytes went towards the peer. */
  protected wroteSome(): void {
    this.timeouts.progress('write');
    if (this.#closing.ending) this.timeouts.touch('close');
    this.callbacks.upper?.lowerSent();
  }

  /** @internal Whether the system has taken everything that has left the output. */
  settled(): boolean {
    return this.#layers === null || this.#layers.isDrained;
  }

  /** @internal Somebody took bytes from the input. */
  inputTaken(): void {
    if (this.#layers !== null) this.wake();
    if (!this.#closing.finishing) return;
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
    this.#closing.writeEnded = true;
    this.#onSentEnd?.();
    if (this.#closing.ending) this.timeouts.touch('close');
    this.#checkEnded();
  }

  /**
   * @internal A direction has failed, or, without one, the connection could not be made. A failed read takes writing
   * with it; after a failed write, what has arrived can still be read (C18). Told once.
   */
  protected failed(direction: Direction | undefined, error: Error, event?: BuffereventEvent): void {
    if (direction === 'read') this.inputSide.gate.enabled = false;
    if (direction === 'write') this.outputSide.gate.enabled = false;
    const first = this.#failure === null;
    this.#failure ??= error;
    if (direction !== undefined) this.timeouts.set(afterFailure);
    if (first) {
      this.callbacks.event(event ?? (direction ? { kind: 'error', direction, error } : { kind: 'error', error }));
      if (channels.error.hasSubscribers) channels.error.publish({ bufferevent: this, direction, error });
      this.#closing.settle(causeOf(error, event));
    }
    this.outputSide.fail(this.#failure);
    if (direction !== 'write') this.inputSide.fail(this.#failure);
    this.#layers?.connectionFailed(this.#failure, event?.kind === 'timeout' && event.timeout === 'handshake');
    if (this.#closing.ending) this.#finish(causeOf(error, event), false);
  }

  /** @internal A new attempt after a failed connect: what failed before is forgotten. */
  protected renewed(): void {
    this.#failure = null;
    this.inputSide.failure = null;
    this.outputSide.failure = null;
    this.#closing.renew();
  }

  /** @internal Whether `end()` waits for both sides to end. */
  protected get ending(): boolean {
    return this.#closing.ending;
  }

  /** @internal Nobody will tell the peer's end: what has come until now is all. */
  protected endImplied(): void {
    this.inputSide.receivedEnd();
    this.#finish({ kind: 'clean' }, false);
  }

  /** @internal From now on, `upper` is told what the handlers would be told. Throws when somebody is over it already. */
  cover(upper: Upper): CoveredBufferevent {
    this.#checkNotFreed();
    if (this.callbacks.upper !== null) {
      throw new BuffereventError('ERR_BUFFEREVENT_COVERED', 'another bufferevent lies over this one');
    }
    this.callbacks.upper = upper;
    return new CoveredBufferevent(this, this.inputSide.gate);
  }

  /** @internal Ends the cover; reading is as it was before. */
  uncover(readEnabled: boolean): void {
    if (this.#freed) return;
    this.callbacks.upper = null;
    this.#onSentEnd = null;
    this.inputSide.gate.enabled = readEnabled && !this.inputSide.ended;
    this.inputSide.gate.resume('filter');
    this.wake();
  }

  /** @internal For whoever lies over it. */
  get connectionState(): { isOpen: boolean; isAlive: boolean; settled: boolean; writeClosed: boolean } {
    const { isOpen, isAlive } = this;
    return {
      isOpen,
      isAlive,
      settled: this.outputSide.length === 0 && this.settled(),
      writeClosed: this.#closing.writeClosed,
    };
  }

  /** @internal Ends the output; `ended` is called when the end is out. */
  endFor(ended: () => void): void {
    if (this.writeEnded) ended();
    else {
      this.#onSentEnd = ended;
      if (!this.#closing.writeClosed) this.halfClose();
    }
  }

  #onSentEnd: (() => void) | null = null;

  /** @internal Frees at the wish of whoever lies over it. Resolves when the transport is gone. */
  freeFor(abrupt: boolean): Promise<void> {
    if (this.#closing.writeEnded && this.readEnded) this.#closing.cause ??= { kind: 'clean' };
    if (abrupt) this.closeTransport(true);
    this.free();
    return this.#closing.gone;
  }

  /** @internal The transport is closed and will say nothing more. */
  protected transportGone(): void {
    this.#transport = 'gone';
    if (this.#freed) this.#letGo();
    if (this.#freed || this.#closing.finishing) this.#closing.finished();
  }

  /** @internal As {@link transportGone}, for a transport that closes at once: the user hears first how it ended. */
  protected transportGoneSoon(): void {
    this.#transport = 'going';
    if (this.#freed) this.transportGone();
    else {
      this.callbacks.whenDelivered(() => {
        if (this.#transport === 'going') this.transportGone();
      });
    }
  }

  #transport: 'standing' | 'going' | 'gone' = 'standing';

  /** What the system may have been reading until now. */
  #letGo(): void {
    this.outputSide.clear();
    this.#layers?.free();
  }

  /** @internal */
  onTimeout(name: TimeoutName): void {
    const error = this.timeouts.error(name);
    switch (name) {
      case 'read':
      case 'write':
        this.callbacks.event({ kind: 'timeout', timeout: name, direction: name, error });
        this.#side(name).gate.enabled = false;
        this.#side(name).timedOut(error);
        this.wake();
        break;
      case 'handshake':
        this.failed(undefined, error, { kind: 'timeout', timeout: name, error });
        this.wake();
        break;
      case 'close':
        if (this.#closing.finishing) {
          this.free();
          break;
        }
        this.callbacks.event({ kind: 'timeout', timeout: name, error });
        this.inputSide.timedOut(error);
        this.outputSide.timedOut(error);
        this.#finish({ kind: 'timeout', timeout: name, error }, true);
        break;
      default:
        this.callbacks.event({ kind: 'timeout', timeout: name, error });
        this.inputSide.timedOut(error);
        this.outputSide.timedOut(error);
    }
  }

  #side(direction: Direction): InputSide | OutputSide {
    return direction === 'read' ? this.inputSide : this.outputSide;
  }

  #checkEnded(): void {
    const { ending, writeEnded } = this.#closing;
    if (ending && writeEnded && this.receivedAll) this.#finish({ kind: 'clean' }, false);
  }

  /** Closes the transport, and frees once the user has heard what there is to hear. */
  #finish(cause: CloseCause, abrupt: boolean): void {
    if (this.#closing.finishing) return;
    this.#closing.finishing = true;
    this.#closing.cause ??= cause;
    this.closeTransport(abrupt);
    this.wake();
  }

  /**
   * @internal The turn is over and the transport is gone. After a clean end, bytes that nobody has taken yet keep the
   * input until they are, or until the close time-out has passed.
   */
  protected freeWhenTaken(): void {
    if (!this.#closing.finishing || this.#freed) return;
    this.callbacks.whenDelivered(() => {
      if (this.inputSide.length === 0 || !this.#closing.clean) this.free();
    });
  }

  #checkNotFreed(): void {
    if (this.#freed) throw freedError();
  }
}

/** Nothing is told of an idle connection, or of writing, after an error of either direction. */
const afterFailure: TimeoutOptions = { idleMs: 0, writeMs: 0 };

function asItIs(line: string | null): string | null {
  return line;
}

const surpluses: readonly string[] = ['refuse', 'decode', 'keep'];

function checkSurplus(options: InsertLayerOptions): InsertLayerOptions['surplus'] {
  checkObject('options', options);
  const { surplus = 'refuse' } = options;
  if (!surpluses.includes(surplus)) throw argumentTypeError('surplus', `one of ${surpluses.join(', ')}`, surplus);
  return surplus;
}
