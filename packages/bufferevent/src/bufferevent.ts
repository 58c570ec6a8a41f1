import type { InspectOptions } from 'node:util';
import { type AddressPair, argumentRangeError } from 'bufferevent-backend';
import type { EolStyle, Evbuffer, EvbufferEncoding } from 'evbuffer';
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
import { BuffereventCore } from './bufferevent-core.js';
import { ConnectionLayers } from './connection-layers.js';
import { BuffereventError } from './errors.js';
import type { BuffereventEvent, BuffereventHandlers, CloseCause, Direction } from './events.js';
import { type InsertLayerOptions, surplusOf } from './insert-layer-options.js';
import { inspectBufferevent } from './inspect.js';
import type { FlushMode, Layer } from './layer.js';
import { LineIterator } from './line-iterator.js';
import {
  ChunkPull,
  ExactPull,
  LinePull,
  lineForm,
  type PullOptions,
  type ReadLineOptions,
  type ReadOptions,
} from './pull.js';
import type { RateLimitGroup } from './rate-limit/group.js';
import { RateLimits } from './rate-limit/limits.js';
import { checkConfig, countOf, type RateLimitOptions, type TokenBucketConfig } from './rate-limit/token-bucket.js';
import type { BuffereventStats } from './stats.js';
import { afterFailure, type TimeoutOptions } from './timeouts.js';
import type { Watermarks } from './watermarks.js';

/**
 * A buffered connection: what arrives gathers in `input`, what is written leaves from `output`, and the user hears of
 * it through handlers or pulls. This class holds what users call; `BuffereventCore` what moves the bytes.
 *
 *      peer ──► [ transport ] ── received ──► input side ──► onRead, read(), readLine(), for await
 *      peer ◄── [ transport ] ◄── sent ────── output side ◄── write()
 *
 * `docs/bufferevent-contract.md` says what users may rely on.
 */
export abstract class Bufferevent extends BuffereventCore implements AsyncDisposable, AsyncIterable<Uint8Array> {
  /** The user's own, per connection; never looked at. */
  context: unknown = undefined;

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
    this.checkNotFreed();
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
    this.checkNotFreed();
    checkInteger('priority', level, 0);
    if (level >= this.base.priorities) {
      throw argumentRangeError('priority', `below the ${this.base.priorities} of the base`, level);
    }
    this.callbacks.priority = level;
  }

  /** Queues `onRead` or `onWrite` if the low mark allows it, or anyway with `ignoreWatermarks`. */
  trigger(direction: Direction, options: { readonly ignoreWatermarks?: boolean } = {}): void {
    this.checkNotFreed();
    checkObject('options', options);
    const ignore = options.ignoreWatermarks ?? false;
    if (checkDirection(direction) === 'read') {
      if (ignore || this.inputSide.length >= this.inputSide.marks.low) this.callbacks.readable(true);
    } else if (ignore || this.outputSide.length <= this.outputSide.marks.low) this.callbacks.writable();
  }

  /** Queues `onEvent` with any event, passed through unchanged (CB-9). */
  triggerEvent(event: BuffereventEvent): void {
    this.checkNotFreed();
    checkObject('event', event);
    this.callbacks.event(event);
  }

  /**
   * Lets directions act. A new bufferevent writes but does not read. Restarts the time-out of the direction (TO-2);
   * enabling writing on an open connection with nothing queued calls `onWrite` once (WR-3).
   */
  enable(...directions: Direction[]): void {
    this.checkNotFreed();
    for (const direction of directions.map(checkDirection)) {
      const { gate, failure } = this.side(direction);
      if (direction === 'write' && !gate.enabled && this.isOpen && failure === null && this.outputSide.length === 0) {
        this.callbacks.writable();
      }
      gate.enabled = true;
      this.timeouts.touch(direction);
    }
    this.wake();
  }

  /** Stops directions; an operation in flight is called back or ends by itself, and no byte is lost. */
  disable(...directions: Direction[]): void {
    this.checkNotFreed();
    for (const direction of directions.map(checkDirection)) {
      this.side(direction).gate.enabled = false;
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
   * Sets marks in bytes; what is omitted stays. Reading: `onRead` waits for `low`, reading rests at `high` (0 or
   * `Infinity`: never; {@link getWatermarks} answers 0 for both). Writing: `onWrite` waits until no more than `low` is
   * left, `write()` returns false above `high` (0 or `Infinity`: never). Calls
   * nothing by itself (RD-3). Throws `RangeError` for a low mark above the high one (RD-6), and for another name.
   */
  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    this.checkNotFreed();
    this.side(checkDirection(direction)).setMarks(marks);
    this.wake();
  }

  getWatermarks(direction: Direction): Watermarks {
    return this.side(checkDirection(direction)).marks;
  }

  /**
   * Sets time-outs in milliseconds; 0 or `null` clears one, what is omitted stays. `readMs` and `writeMs` count while
   * reading or writing is really tried and nothing moves (TO-1, TO-3), `idleMs` while nothing moves either way,
   * `connectMs` from `connect()` on, `closeMs` from the last progress after `end()` on.
   */
  setTimeouts(timeouts: TimeoutOptions): void {
    this.checkNotFreed();
    this.timeouts.set(timeouts);
    if (this.isOpen && this.failure !== null) this.timeouts.set(afterFailure);
    if (this.isOpen) {
      this.timeouts.start('idle');
      if (this.layerStack?.isOpen === false && this.failure === null) this.timeouts.start('handshake');
    } else if (this.isConnecting) this.timeouts.start('connect');
    if (this.closing.ending) this.timeouts.start('close');
    this.wake();
  }

  /**
   * Limits how fast bytes are received and sent; `null` lifts the limit. The first limit starts with one tick's worth;
   * another one cuts what was saved up to its bursts, and never adds any; the same object does nothing.
   *
   * @param options `count`: the bytes on the wire (the default), or those of the user
   */
  setRateLimit(config: TokenBucketConfig | null, options: RateLimitOptions = {}): void {
    this.checkNotFreed();
    if (config !== null) checkConfig(config);
    const count = countOf(options);
    if (config !== null || this.rates !== null) this.limited().configure(config, count);
  }

  /** The limit of its own, not that of its group. */
  get rateLimit(): TokenBucketConfig | null {
    return this.rates?.config ?? null;
  }

  get rateLimitGroup(): RateLimitGroup | null {
    return this.rates?.group ?? null;
  }

  /** Bytes left of its own limit, whatever its group has; negative for a deficit, `Infinity` without a limit. */
  get readLimit(): number {
    return this.rates?.read.level ?? Infinity;
  }

  get writeLimit(): number {
    return this.rates?.write.level ?? Infinity;
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
    return Math.min(this.rates?.read.most ?? Infinity, this.base.limits.bytesPerTurn);
  }

  /** The same for what is handed to the system. Without limits, of files that it sends by itself up to `fileBytesPerTurn`. */
  get maxToWrite(): number {
    return Math.min(this.rates?.write.most ?? Infinity, this.base.limits.bytesPerTurn);
  }

  /** The most that one receive brings, in bytes. Default, and upper bound: `bytesPerTurn` of the base (RL-6). */
  get maxSingleRead(): number {
    return Math.min(this.rates?.read.maxSingle ?? Infinity, this.base.limits.bytesPerTurn);
  }

  set maxSingleRead(bytes: number) {
    this.#setMaxSingle('read', bytes);
  }

  /** The most that is handed to the system at a time; as {@link maxSingleRead}, but for files as {@link maxToWrite}. */
  get maxSingleWrite(): number {
    return Math.min(this.rates?.write.maxSingle ?? Infinity, this.base.limits.bytesPerTurn);
  }

  set maxSingleWrite(bytes: number) {
    this.#setMaxSingle('write', bytes);
  }

  #debit(direction: Direction, bytes: number): void {
    this.checkNotFreed();
    checkInteger('bytes', bytes, Number.MIN_SAFE_INTEGER);
    this.rates?.side(direction).debit(bytes);
  }

  #setMaxSingle(direction: Direction, bytes: number): void {
    this.checkNotFreed();
    checkLimit('bytes', bytes, 1);
    this.limited().side(direction).maxSingle = bytes;
    this.wake();
  }

  /** @internal Its limits, for a group too; made by the first who asks. */
  limited(): RateLimits {
    this.checkNotFreed();
    this.rates ??= new RateLimits(this.base, this.inputSide.gate, this.outputSide.gate, () => this.wake());
    return this.rates;
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
    this.checkWritable();
    return this.outputSide.write(data, encoding);
  }

  /** @internal Throws `ERR_BUFFEREVENT_FREED` or `ERR_BUFFEREVENT_WRITE_AFTER_END` where {@link write} would. */
  checkWritable(): void {
    this.checkNotFreed();
    if (this.closing.writeClosed) {
      throw new BuffereventError('ERR_BUFFEREVENT_WRITE_AFTER_END', 'write after the end of the output');
    }
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
   *   bytes stay in `input`), `ERR_BUFFEREVENT_READ_LIMIT` for more than `maxBytes`, what `input` throws for bytes that
   *   can't be looked at (`ERR_EVBUFFER_DETACHED`; they stay, too), or the failure of the connection.
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

  /** Ends our side after what is queued. Reading goes on; further writes throw. */
  halfClose(): void {
    this.checkNotFreed();
    this.closeOutput();
  }

  /**
   * Closes cleanly: sends what is queued, ends our side, waits for the peer's end, closes, frees. Meanwhile bytes go on
   * to reach handlers while reading is enabled, and pulls; without either they gather up to the high mark and are then
   * discarded. After `closeMs` without progress the connection is reset instead. Never rejects; the answer is that of
   * {@link closed}, given when the transport is gone. `free()` may be called at any time to stop waiting.
   */
  end(): Promise<CloseCause> {
    if (!this.freed && !this.closing.ending) {
      this.closing.end();
      this.outputSide.close();
      this.outputSide.gate.enabled = true;
      if (!this.isAlive) {
        this.finish({ kind: 'freed' }, false);
        this.freeWhenTaken();
      } else if (this.failure !== null) this.finish({ kind: 'freed' }, false);
      else {
        this.timeouts.start('close');
        this.wake();
        this.checkEnded();
      }
    }
    return this.closing.gone.then(() => this.closed);
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
   *   `ERR_BUFFEREVENT_CLOSED` after the end of either side, or a failure; `TypeError`/`RangeError` for what is no layer,
   *   for a `handshakeMs` that is no duration and for unknown options; whatever the layer's `attach` throws. Nothing has changed
   *   then, and the layer stays the caller's.
   */
  insertLayer(layer: Layer, options: InsertLayerOptions = {}): Promise<void> {
    this.checkNotFreed();
    checkLayer(layer);
    const surplus = surplusOf(options);
    if (this.closing.writeClosed || this.inputSide.ended || this.failure !== null) {
      throw new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'insertLayer() on a connection that has ended');
    }
    if (surplus === 'refuse' && this.inputSide.length > 0) {
      const message = `${this.inputSide.length} bytes arrived before the layer was inserted`;
      throw new BuffereventError('ERR_BUFFEREVENT_SURPLUS_INPUT', message);
    }
    const layers = this.layerStack ?? new ConnectionLayers(this, this.inputSide, this.outputSide);
    const opened = layers.push(layer);
    if (layer.handshakeMs !== undefined) this.timeouts.set({ handshakeMs: layer.handshakeMs });
    const first = this.layerStack === null;
    this.layerStack = layers;
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
    return this.layerStack?.list ?? [];
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
    this.checkNotFreed();
    checkDirection(direction);
    checkFlushMode(mode);
    if (direction === 'read') {
      // The way of the bytes, from the transport up.
      const moved = this.#flushTransport(direction, mode);
      if (!this.isOpen || this.layerStack === null) return moved;
      // What layers have to answer is sent at the end of the turn.
      this.wake();
      return this.layerStack.flush(direction, mode) || moved;
    }
    const moved = this.isOpen && this.layerStack?.flush(direction, mode) === true;
    if (this.layerStack?.isFlushing === true) return moved;
    return this.#flushTransport(direction, mode) || moved;
  }

  #flushTransport(direction: Direction, mode: FlushMode): boolean {
    return this.isOpen && this.flushTransport(direction, mode);
  }

  /** Counts since the connection was made, and what is suspended; a copy. */
  stats(): BuffereventStats {
    const { inputSide, outputSide } = this;
    return {
      bytesReceived: this.layerStack?.wireReceived ?? inputSide.receivedBytes,
      bytesSent: this.layerStack?.wireSent ?? outputSide.sentBytes,
      payloadReceived: inputSide.receivedBytes,
      payloadSent: outputSide.sentBytes,
      receives: inputSide.receives,
      sends: outputSide.sends,
      inputLength: this.inputSide.length,
      outputLength: this.outputSide.length,
      readLimit: this.readLimit,
      writeLimit: this.writeLimit,
      suspended: { read: inputSide.gate.reasons, write: outputSide.gate.reasons },
      suspensions: { read: inputSide.gate.suspensions, write: outputSide.gate.suspensions },
    };
  }

  /** @internal */
  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options: InspectOptions): string {
    return inspectBufferevent(this, this.#state, depth, options);
  }

  get #state(): string {
    if (this.freed) return 'freed';
    if (this.failure !== null) return 'failed';
    if (this.closing.ending) return 'ending';
    if (!this.isOpen) return this.isAlive ? 'connecting' : 'unconnected';
    return this.layerStack?.isOpen === false ? 'handshaking' : 'open';
  }

  /** How the connection ended. Never rejects; resolves at the first failure, or when `end()` or `free()` has closed. */
  get closed(): Promise<CloseCause> {
    return this.closing.closed;
  }

  /** `end()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

function asItIs(line: string | null): string | null {
  return line;
}
