import type { EolStyle, Evbuffer, EvbufferEncoding, LeaseOwner } from 'evbuffer';
import {
  checkDirection,
  checkHandlers,
  checkInteger,
  checkLimit,
  checkObject,
  checkSignal,
  connectionHandlers,
} from './arguments.js';
import { PendingCallbacks } from './callbacks.js';
import { Closing, causeOf } from './closing.js';
import { BuffereventError, freedError } from './errors.js';
import { checkBase, type EventBase } from './event-base.js';
import type { BuffereventEvent, BuffereventHandlers, CloseCause, Direction, TimeoutName } from './events.js';
import { InputSide } from './input-side.js';
import { LineIterator } from './line-iterator.js';
import { OutputSide } from './output-side.js';
import {
  ChunkPull,
  ExactPull,
  LinePull,
  lineForm,
  type PullOptions,
  type ReadLineOptions,
  type ReadOptions,
} from './pull.js';
import { type TimeoutOptions, Timeouts } from './timeouts.js';
import type { Watermarks } from './watermarks.js';

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
  #failure: Error | null = null;
  #freed = false;

  /** @internal */
  constructor(base: EventBase) {
    checkBase(base);
    this.base = base;
    this.callbacks = new PendingCallbacks(this, base, () => this.inputSide.readable);
    this.timeouts = new Timeouts(base, (name) => this.onTimeout(name));
    const wake = () => this.wake();
    this.inputSide = new InputSide(base.limits, this.callbacks, this.#closing, {
      wake,
      inputTaken: () => {
        if (!this.#closing.finishing) return;
        this.timeouts.touch('close');
        this.wake();
      },
    });
    this.outputSide = new OutputSide(base.limits, this.callbacks, {
      wake,
      outputOverflowed: (error) => this.#giveUp(error),
    });
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

  /** Queues `onRead` or `onWrite` if the low mark allows it, or anyway with `ignoreWatermarks`. */
  trigger(direction: Direction, options: { readonly ignoreWatermarks?: boolean } = {}): void {
    this.#checkNotFreed();
    checkObject('options', options);
    const ignore = options.ignoreWatermarks ?? false;
    if (checkDirection(direction) === 'read') {
      if (ignore || this.input.length >= this.inputSide.marks.low) this.callbacks.readable(true);
    } else if (ignore || this.output.length <= this.outputSide.marks.low) this.callbacks.writable();
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
      const idle = this.isOpen && failure === null && this.output.length === 0;
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
    if (this.isOpen) this.timeouts.start('idle');
    else if (this.isAlive) this.timeouts.start('connect');
    if (this.#closing.ending) this.timeouts.start('close');
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
    this.inputSide.free();
    this.outputSide.free();
    this.closeTransport(false);
  }

  /** How the connection ended. Never rejects; resolves at the first failure, or when `end()` or `free()` has closed. */
  get closed(): Promise<CloseCause> {
    return this.#closing.closed;
  }

  /** `end()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** @internal Connected: bytes can move. */
  protected abstract get isOpen(): boolean;
  /** @internal Connected or on the way there. */
  protected abstract get isAlive(): boolean;
  /** @internal Something changed: look at the allowances again at the end of the turn. */
  protected abstract wake(): void;
  /** @internal Closes, at once; tells {@link transportGone} when that is done. May be called more than once. */
  protected abstract closeTransport(abrupt: boolean): void;

  /** @internal Whether our side is to be ended now. */
  protected get wantsShutdown(): boolean {
    return this.#closing.writeClosed && this.output.length === 0 && this.outputSide.failure === null && !this.#freed;
  }

  /** @internal Connected: bytes can move from now on. */
  protected opened(): void {
    if (this.#closing.ending) this.timeouts.touch('close');
    this.timeouts.start('idle');
  }

  /** @internal Bytes arrived, in memory that is leased from `owner`. */
  protected received(memory: Uint8Array, start: number, end: number, owner: LeaseOwner, lease: number): void {
    if (!this.isOpen) {
      owner.release(lease);
      return;
    }
    this.timeouts.progress('read');
    this.inputSide.received(memory, start, end, owner, lease);
  }

  /** @internal The peer ended its side. */
  protected receivedEnd(): void {
    this.inputSide.receivedEnd();
    this.callbacks.event({ kind: 'eof', direction: 'read' });
    this.#checkEnded();
  }

  /** @internal The first `count` bytes of the output were taken; they are unpinned. */
  protected sent(count: number): void {
    this.timeouts.progress('write');
    if (this.#closing.ending) this.timeouts.touch('close');
    this.outputSide.sent(count);
  }

  /** @internal Our side has ended. */
  protected sentEnd(): void {
    this.#closing.writeEnded = true;
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
      this.#closing.settle(causeOf(error, event));
    }
    this.outputSide.fail(this.#failure);
    if (direction !== 'write') this.inputSide.fail(this.#failure);
    if (this.#closing.ending) this.#finish(causeOf(error, event), false);
  }

  /** @internal A new attempt after a failed connect: what failed before is forgotten. */
  protected renewed(): void {
    this.#failure = null;
    this.inputSide.failure = null;
    this.outputSide.failure = null;
    this.#closing.renew();
  }

  /** @internal The transport is closed and will say nothing more. */
  protected transportGone(): void {
    if (this.#freed) this.outputSide.clear();
    if (this.#freed || this.#closing.finishing) this.#closing.finished();
  }

  /** @internal */
  protected onTimeout(name: TimeoutName): void {
    const error = this.timeouts.error(name);
    switch (name) {
      case 'read':
      case 'write':
        this.callbacks.event({ kind: 'timeout', timeout: name, direction: name, error });
        this.#side(name).gate.enabled = false;
        this.#side(name).timedOut(error);
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
    if (this.#closing.ending && this.#closing.writeEnded && this.readEnded) this.#finish({ kind: 'clean' }, false);
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
      if (this.input.length === 0 || !this.#closing.clean) this.free();
    });
  }

  #giveUp(error: BuffereventError): void {
    this.failed('write', error);
    this.inputSide.fail(error);
    this.closeTransport(true);
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
