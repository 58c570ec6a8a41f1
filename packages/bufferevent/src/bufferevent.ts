import { argumentRangeError, argumentTypeError } from 'bufferevent-backend';
import { type EolStyle, Evbuffer, type EvbufferEncoding, isEvbuffer, type LeaseOwner } from 'evbuffer';
import { PendingCallbacks } from './callbacks.js';
import { Closing } from './closing.js';
import { DrainWaiters } from './drain-waiters.js';
import { BuffereventError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { BuffereventEvent, BuffereventHandlers, CloseCause, Direction, TimeoutName } from './events.js';
import { Gate } from './gate.js';
import { ChunkPull, ExactPull, LinePull, type Pull, type PullOptions, PullQueue } from './pull.js';
import { type TimeoutOptions, Timeouts } from './timeouts.js';
import { resolveMarks, type Watermarks } from './watermarks.js';

export interface ReadOptions extends PullOptions {
  /** The most that this read may ask for. Default 16 MiB (`limits.readMaxBytes`). */
  readonly maxBytes?: number;
}

export interface ReadLineOptions extends PullOptions {
  /** The longest line, without its terminator. Default 64 KiB (`limits.lineMaxBytes`). */
  readonly maxBytes?: number;
  /** Default `utf8`. */
  readonly encoding?: 'utf8' | 'latin1';
}

/**
 * A buffered connection: what arrives gathers in `input`, what is written leaves from `output`, and the user hears of
 * it through handlers or pulls. This class holds the policy that every kind shares: gates, marks, time-outs, callbacks,
 * pulls, closing. A kind moves the bytes.
 *
 *      peer ──► [ transport ] ── received ──► input ──► onRead, read(), readLine(), for await
 *      peer ◄── [ transport ] ◄── sent ────── output ◄── write()
 *
 * `docs/bufferevent-contract.md` says what users may rely on.
 */
export abstract class Bufferevent implements AsyncDisposable, AsyncIterable<Uint8Array> {
  readonly base: EventBase;
  /**
   * Bytes that have arrived. Take them with `remove`, `drain`, `readLine`, `moveTo`; the back is frozen for users.
   */
  readonly input: Evbuffer = new Evbuffer();
  /** Bytes that wait to be sent. Add with `write()` or directly; the front is frozen for users. */
  readonly output: Evbuffer = new Evbuffer();
  /** The user's own, per connection; never looked at. */
  context: unknown = undefined;

  /** @internal */
  protected readonly readGate: Gate = new Gate(false);
  /** @internal */
  protected readonly writeGate: Gate = new Gate(true);
  /** @internal */
  protected readonly timeouts: Timeouts;
  /** @internal */
  protected readonly callbacks: PendingCallbacks;
  /** @internal */
  protected readonly closing: Closing;
  readonly #pulls: PullQueue = new PullQueue();
  readonly #drainWaiters: DrainWaiters = new DrainWaiters();
  #readMarks: Watermarks;
  #writeMarks: Watermarks;
  #readEnded = false;
  /** Reading has failed: what is buffered can still be taken, nothing more will come. */
  #readDead = false;
  /** Writing has failed: what is queued stays, further writes are dropped. */
  #writeDead = false;
  #failure: Error | null = null;
  #freed = false;

  constructor(base: EventBase) {
    this.base = base;
    this.callbacks = new PendingCallbacks(this, base);
    this.timeouts = new Timeouts(base, (name) => this.onTimeout(name));
    this.closing = new Closing();
    this.#readMarks = { low: 0, high: marked(base.limits.inputHighWatermark) };
    this.#writeMarks = { low: 0, high: marked(base.limits.outputHighWatermark) };
    this.input.freeze('back');
    this.output.freeze('front');
    this.input.watch((_, { removed }) => {
      if (removed > 0) this.#inputShrank();
    });
    this.output.watch((_, { added }) => {
      if (added > 0) this.#outputGrew();
    });
  }

  /**
   * Sets who hears of this connection; `null` for nobody. Fires nothing for bytes that are already there (RD-3). The
   * handlers run in the asynchronous context in force now.
   */
  setHandlers(handlers: BuffereventHandlers | null): void {
    this.#checkNotFreed();
    if (typeof handlers !== 'object') throw argumentTypeError('handlers', 'an object or null', handlers);
    this.callbacks.setHandlers(handlers, handlers === null ? null : this.base.captureContext());
  }

  get handlers(): BuffereventHandlers | null {
    return this.callbacks.handlers;
  }

  /**
   * Queues `onRead` or `onWrite`, if the low mark allows it, or anyway with `ignoreWatermarks`.
   */
  trigger(direction: Direction, options: { readonly ignoreWatermarks?: boolean } = {}): void {
    this.#checkNotFreed();
    const ignore = options.ignoreWatermarks ?? false;
    if (checkDirection(direction) === 'read') {
      if (ignore || this.input.length >= this.#readMarks.low) this.callbacks.readable(true);
    } else if (ignore || this.output.length <= this.#writeMarks.low) this.callbacks.writable();
  }

  /** Queues `onEvent` with any event, passed through unchanged (CB-9). */
  triggerEvent(event: BuffereventEvent): void {
    this.#checkNotFreed();
    this.callbacks.event(event);
  }

  /**
   * Lets directions act. A new bufferevent writes but does not read. Restarts the time-out of the direction (TO-2);
   * enabling writing on an open connection with nothing queued calls `onWrite` once (WR-3).
   */
  enable(...directions: Direction[]): void {
    this.#checkNotFreed();
    for (const direction of checkDirections(directions)) {
      if (direction === 'read') {
        this.readGate.enabled = true;
        this.timeouts.touch('read');
      } else {
        if (!this.writeGate.enabled && this.isOpen && this.output.length === 0) this.callbacks.writable();
        this.writeGate.enabled = true;
        this.timeouts.touch('write');
      }
    }
    this.wake();
  }

  /** Stops directions; an operation in flight is called back or ends by itself, and no byte is lost. */
  disable(...directions: Direction[]): void {
    this.#checkNotFreed();
    for (const direction of checkDirections(directions)) {
      if (direction === 'read') this.readGate.enabled = false;
      else this.writeGate.enabled = false;
    }
    this.wake();
  }

  /** What the user asked for, less the directions that an end, an error or a time-out disabled. */
  get enabled(): readonly Direction[] {
    const directions: Direction[] = [];
    if (this.readGate.enabled) directions.push('read');
    if (this.writeGate.enabled) directions.push('write');
    return directions;
  }

  /**
   * Sets marks in bytes; what is omitted stays. Reading: `onRead` waits for `low`, reading rests at `high` (0: never).
   * Writing: `onWrite` waits until no more than `low` is left, `write()` returns false above `high` (0: never). Calls
   * nothing by itself (RD-3). Throws `RangeError` for a low mark above the high one (RD-6).
   */
  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    this.#checkNotFreed();
    if (checkDirection(direction) === 'read') {
      this.#readMarks = resolveMarks(this.#readMarks, marks);
      this.#checkHighMark();
      this.wake();
    } else {
      this.#writeMarks = resolveMarks(this.#writeMarks, marks);
    }
  }

  getWatermarks(direction: Direction): Watermarks {
    return checkDirection(direction) === 'read' ? this.#readMarks : this.#writeMarks;
  }

  /**
   * Sets time-outs in milliseconds; 0 or `null` clears one, what is omitted stays. `readMs` and `writeMs` count while
   * reading or writing is really tried and nothing moves (TO-1, TO-3), `idleMs` while nothing moves either way,
   * `connectMs` from `connect()` on, `closeMs` from the last progress after `end()` on.
   */
  setTimeouts(timeouts: TimeoutOptions): void {
    this.#checkNotFreed();
    this.timeouts.set(timeouts);
    if (this.isOpen) this.timeouts.start('idle');
    else if (this.isAlive) this.timeouts.start('connect');
    if (this.closing.ending) this.timeouts.start('close');
    this.wake();
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
    if (this.closing.writeClosed) {
      throw new BuffereventError('ERR_BUFFEREVENT_WRITE_AFTER_END', 'write after the end of the output');
    }
    this.#checkNotFreed();
    if (this.#writeDead) {
      if (isEvbuffer(data)) data.drain(data.length);
      return false;
    }
    if (isEvbuffer(data)) {
      this.#checkOutputLimit(data.length);
      this.output.addBuffer(data);
    } else {
      if (typeof data === 'string') this.#checkOutputLimit(stringLength(data, encoding));
      else if (ArrayBuffer.isView(data)) this.#checkOutputLimit(data.byteLength);
      this.output.add(data, encoding);
    }
    const { high } = this.#writeMarks;
    return high === 0 || this.output.length <= high;
  }

  /** Resolves when the output is empty and the system has taken the last byte; rejects when that can't happen any more. */
  drained(options: PullOptions = {}): Promise<void> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.output.length === 0) return Promise.resolve();
    if (this.#freed) return Promise.reject(freedError());
    if (this.#writeDead) return Promise.reject(this.#failure);
    return this.#drainWaiters.add(options.signal);
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
    if (count === undefined) return this.#pull(new ChunkPull(), options.signal);
    const maxBytes = options.maxBytes ?? this.base.limits.readMaxBytes;
    if (!Number.isSafeInteger(count) || count < 1) throw argumentRangeError('count', 'an integer above 0', count);
    if (count > maxBytes) {
      const message = `a read of ${count} bytes is above the limit of ${maxBytes}`;
      return Promise.reject(new BuffereventError('ERR_BUFFEREVENT_READ_LIMIT', message));
    }
    return this.#pull(new ExactPull(count), options.signal);
  }

  /**
   * Waits for a line and takes it, without its terminator. As {@link read}; `ERR_BUFFEREVENT_LINE_LIMIT` for a line of
   * more than `maxBytes` (the bytes stay in `input`).
   */
  readLine(style: EolStyle = 'crlf', options: ReadLineOptions = {}): Promise<string | null> {
    const maxBytes = options.maxBytes ?? this.base.limits.lineMaxBytes;
    if (!(maxBytes >= 1)) throw argumentRangeError('maxBytes', 'at least 1', maxBytes);
    return this.#pull(new LinePull(style, maxBytes, options.encoding ?? 'utf8'), options.signal);
  }

  /** The bytes as they come, until the end. Reads only while the loop waits; leaving the loop closes nothing. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = await this.read();
      if (chunk === null) return;
      yield chunk;
    }
  }

  #pull<Value>(pull: Pull<Value>, signal: AbortSignal | undefined): Promise<Value> {
    const { promise } = pull;
    if (signal?.aborted) pull.reject(signal.reason);
    else if (this.#freed && !this.closing.clean) pull.reject(freedError());
    else if (this.closing.discarding) pull.reject(discardedError());
    else {
      this.#pulls.push(pull as Pull<unknown>, signal);
      this.#servePulls();
      this.wake();
    }
    return promise;
  }

  #servePulls(): void {
    if (!this.#pulls.waiting) return;
    this.#pulls.serve(this.input, this.#readEnded || this.#freed);
    if (this.#readDead) this.#pulls.rejectAll(this.#failure);
    if (!this.#freed) this.#checkHighMark();
  }

  /** Whether the peer has ended its side. */
  get readEnded(): boolean {
    return this.#readEnded;
  }

  /** Whether our side has ended: everything was sent, and the end after it. */
  get writeEnded(): boolean {
    return this.closing.writeEnded;
  }

  get freed(): boolean {
    return this.#freed;
  }

  /** Ends our side after what is queued. Reading goes on; further writes throw. */
  halfClose(): void {
    this.#checkNotFreed();
    this.closing.writeClosed = true;
    this.wake();
  }

  /**
   * Closes cleanly: sends what is queued, ends our side, waits for the peer's end, closes, frees. Meanwhile bytes go on
   * to reach handlers while reading is enabled, and pulls; without either they gather up to the high mark and are then
   * discarded. After `closeMs` without progress the connection is reset instead. Never rejects; the answer is that of
   * {@link closed}, given when the transport is gone. `free()` may be called at any time to stop waiting.
   */
  end(): Promise<CloseCause> {
    if (!this.#freed && !this.closing.ending) {
      this.closing.ending = true;
      this.closing.writeClosed = true;
      this.writeGate.enabled = true;
      if (this.#failure !== null || !this.isAlive) this.#finish({ kind: 'freed' }, false);
      else {
        this.timeouts.start('close');
        this.wake();
        this.#checkEnded();
      }
    }
    return this.closing.gone.then(() => this.closed);
  }

  /**
   * Closes abruptly and lets go of everything. Synchronous and idempotent; queued output is dropped, nothing is called
   * afterwards, waiting pulls reject with `ERR_BUFFEREVENT_FREED` (FR-1, FR-3).
   */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.callbacks.drop();
    this.timeouts.cancel();
    this.closing.cause ??= { kind: 'freed' };
    if (this.closing.clean) this.#pulls.serve(this.input, true);
    this.#pulls.rejectAll(freedError());
    this.#drainWaiters.rejectAll(freedError());
    this.input.drain(this.input.length);
    this.closeTransport(false);
  }

  /** How the connection ended. Never rejects; resolves at the first failure, or when `end()` or `free()` has closed. */
  get closed(): Promise<CloseCause> {
    return this.closing.closed;
  }

  /** `end()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** Everything is sent or failed: closes the transport, and frees once the user has heard of what is queued. */
  #finish(cause: CloseCause, abrupt: boolean): void {
    if (this.closing.finishing) return;
    this.closing.finishing = true;
    this.closing.cause ??= cause;
    this.closeTransport(abrupt);
    this.#freeWhenRead();
  }

  /** Bytes that nobody has taken yet keep the buffers alive until they are, or the close time-out has passed. */
  #freeWhenRead(): void {
    this.callbacks.whenDelivered(() => {
      if (this.input.length === 0 || !this.closing.clean) this.free();
    });
  }

  #checkEnded(): void {
    if (this.closing.ending && this.closing.writeEnded && this.#readEnded) this.#finish({ kind: 'clean' }, false);
  }

  /** @internal Connected: bytes can move. */
  protected abstract get isOpen(): boolean;
  /** @internal Connected or on the way there. */
  protected abstract get isAlive(): boolean;
  /** @internal Something changed: look at the allowances again at the end of the turn. */
  protected abstract wake(): void;
  /** @internal Closes, at once; tells {@link transportGone} when that is done. May be called more than once. */
  protected abstract closeTransport(abrupt: boolean): void;

  /** @internal Bytes that may be asked for now; 0: do not read. */
  protected readAllowance(): number {
    if (this.#freed || this.#readDead || this.closing.finishing) return 0;
    const wanted = this.readGate.enabled || this.#pulls.waiting;
    if (this.#readEnded && !this.readGate.enabled) return 0;
    if (!wanted && !this.closing.ending) return 0;
    if (this.closing.discarding) return this.base.limits.bytesPerTurn;
    if (this.readGate.suspended) return !wanted && this.#startDiscarding() ? this.base.limits.bytesPerTurn : 0;
    return Math.min(this.#highMark() - this.input.length, this.base.limits.bytesPerTurn);
  }

  /** @internal Bytes that may be sent now; 0: do not write. */
  protected writeAllowance(): number {
    if (this.#freed || this.#writeDead || !this.writeGate.enabled || this.writeGate.suspended) return 0;
    return Math.min(this.output.length, this.base.limits.bytesPerTurn);
  }

  /** @internal Whether our side is to be ended now. */
  protected get wantsShutdown(): boolean {
    return this.closing.writeClosed && this.output.length === 0 && !this.#writeDead && !this.#freed;
  }

  /** @internal */
  protected opened(): void {
    if (this.closing.ending) this.timeouts.touch('close');
    this.timeouts.start('idle');
  }

  /** @internal Bytes arrived, in memory that is leased from `owner`. */
  protected received(memory: Uint8Array, start: number, end: number, owner: LeaseOwner, lease: number): void {
    this.timeouts.touch('read');
    this.timeouts.progress();
    if (this.#freed || this.closing.discarding) {
      owner.release(lease);
      return;
    }
    this.input.unfreeze('back');
    this.input.addLeased(memory, start, end, owner, lease);
    this.input.freeze('back');
    this.#servePulls();
    this.#checkHighMark();
    if (this.input.length > 0 && this.input.length >= this.#readMarks.low) this.callbacks.readable(false);
  }

  /** @internal The peer ended its side. */
  protected receivedEnd(): void {
    this.#readEnded = true;
    this.readGate.enabled = false;
    this.#servePulls();
    this.callbacks.event({ kind: 'eof', direction: 'read' });
    this.#checkEnded();
  }

  /** @internal The first `count` bytes of the output were taken; they are unpinned. */
  protected sent(count: number): void {
    this.timeouts.touch('write');
    this.timeouts.progress();
    if (this.closing.ending) this.timeouts.touch('close');
    this.output.unfreeze('front');
    this.output.drain(count);
    this.output.freeze('front');
    if (this.output.length <= this.#writeMarks.low) this.callbacks.writable();
    if (this.output.length === 0) this.#drainWaiters.resolveAll();
  }

  /** @internal Our side has ended. */
  protected sentEnd(): void {
    this.closing.writeEnded = true;
    if (this.closing.ending) this.timeouts.touch('close');
    this.#checkEnded();
  }

  /**
   * @internal A direction has failed, or, without one, the connection could not be made. A failed read takes writing
   * with it; after a failed write, what has arrived can still be read (C18). Told once.
   */
  protected failed(direction: Direction | undefined, error: Error, event?: BuffereventEvent): void {
    if (direction === 'read') this.readGate.enabled = false;
    if (direction === 'write') this.writeGate.enabled = false;
    this.#writeDead = true;
    if (direction !== 'write') this.#readDead = true;
    const first = this.#failure === null;
    this.#failure ??= error;
    this.#servePulls();
    this.#drainWaiters.rejectAll(this.#failure);
    if (first) {
      this.callbacks.event(event ?? (direction ? { kind: 'error', direction, error } : { kind: 'error', error }));
      this.closing.settle(causeOf(error, event));
    }
    if (this.closing.ending) this.#finish(causeOf(error, event), false);
  }

  /** @internal A new attempt after a failed connect: what failed before is forgotten. */
  protected renewed(): void {
    this.#failure = null;
    this.#readDead = false;
    this.#writeDead = false;
    this.closing.renew();
  }

  /** @internal The transport is closed and will say nothing more. */
  protected transportGone(): void {
    if (this.#freed) this.#clearOutput();
    if (this.#freed || this.closing.finishing) this.closing.finished();
  }

  /** @internal */
  protected onTimeout(name: TimeoutName): void {
    const error = this.timeouts.error(name);
    if (name === 'close') {
      if (this.closing.finishing) {
        this.free();
        return;
      }
      this.callbacks.event({ kind: 'timeout', timeout: name, error });
      this.#finish({ kind: 'timeout', timeout: name, error }, true);
      return;
    }
    if (name === 'read' || name === 'write') {
      this.callbacks.event({ kind: 'timeout', timeout: name, direction: name, error });
      if (name === 'read') {
        this.readGate.enabled = false;
        this.#pulls.rejectAll(error);
      } else {
        this.writeGate.enabled = false;
        this.#drainWaiters.rejectAll(error);
      }
      this.wake();
    } else {
      this.callbacks.event({ kind: 'timeout', timeout: name, error });
    }
  }

  #clearOutput(): void {
    this.output.unfreeze('front');
    this.output.clear();
    this.output.freeze('front');
  }

  /** The mark in force: one read that needs more lifts it for as long as it waits. */
  #highMark(): number {
    const { high } = this.#readMarks;
    return high === 0 ? Infinity : Math.max(high, this.#pulls.need);
  }

  /** Reading rests from the mark on, and goes on the moment it is crossed downwards; nothing polls (RD-4, RD-5). */
  #checkHighMark(): void {
    const full = this.input.length >= this.#highMark();
    if (full === this.readGate.isSuspendedFor('watermark')) return;
    if (full) this.readGate.suspend('watermark');
    else this.readGate.resume('watermark');
    this.wake();
  }

  #inputShrank(): void {
    this.#pulls.rewind();
    if (this.readGate.isSuspendedFor('watermark')) this.#checkHighMark();
    if (this.closing.finishing && this.input.length === 0 && !this.#freed) this.#freeWhenRead();
  }

  #outputGrew(): void {
    if (this.#freed || this.#writeDead) return;
    if (this.output.length > this.base.limits.outputMaxBytes) this.#overflow();
    else this.wake();
  }

  #checkOutputLimit(more: number): void {
    if (this.output.length + more > this.base.limits.outputMaxBytes) throw this.#overflow();
  }

  /** The hard cap: the peer does not read, and the user does not listen. */
  #overflow(): BuffereventError {
    const message = `more than ${this.base.limits.outputMaxBytes} bytes wait to be sent`;
    const error = new BuffereventError('ERR_BUFFEREVENT_OUTPUT_LIMIT', message);
    this.failed('write', error);
    this.#readDead = true;
    this.#servePulls();
    this.closeTransport(true);
    return error;
  }

  /** After `end()`, with nobody to take the bytes: from here on they are dropped, so that the peer's end can be seen. */
  #startDiscarding(): true {
    this.closing.discarding = true;
    this.input.drain(this.input.length);
    return true;
  }

  #checkNotFreed(): void {
    if (this.#freed) throw freedError();
  }
}

function freedError(): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_FREED', 'the bufferevent was freed');
}

function discardedError(): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'the input was discarded after end()');
}

function causeOf(error: Error, event: BuffereventEvent | undefined): CloseCause {
  if (event?.kind === 'timeout') return { kind: 'timeout', timeout: event.timeout, error };
  const { code } = error as { code?: string };
  const reset = code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED';
  return { kind: reset ? 'reset' : 'error', error };
}

function marked(limit: number): number {
  return limit === Infinity ? 0 : limit;
}

/** Exact for the encodings whose length differs from the number of code units. */
function stringLength(text: string, encoding: EvbufferEncoding | undefined): number {
  return Buffer.byteLength(text, encoding);
}

function checkDirection(direction: unknown): Direction {
  if (direction !== 'read' && direction !== 'write') {
    throw argumentTypeError('direction', "'read' or 'write'", direction);
  }
  return direction;
}

function checkDirections(directions: readonly unknown[]): Direction[] {
  return directions.map(checkDirection);
}
