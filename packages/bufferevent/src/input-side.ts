import { surface } from 'bufferevent-backend';
import { Evbuffer, type EvbufferWatch, type LeaseOwner } from 'evbuffer';
import type { PendingCallbacks } from './callbacks.js';
import type { Closing } from './closing.js';
import { BuffereventError, freedError } from './errors.js';
import { Gate, type GateHost } from './gate.js';
import type { Limits } from './limits.js';
import { type LineForm, noPulls, type Pull, type PullHost, PullQueue } from './pull.js';
import { addReceived, handOver } from './small-pieces.js';
import { initialMarks, resolveMarks, type Watermarks } from './watermarks.js';

/** What a port is asked for at most, where no limit says less. */
const MAX_RECV_BYTES = 2 ** 30;

/** @internal What the input needs of the bufferevent around it. */
export interface InputHost extends GateHost {
  /** The allowance may have changed. */
  wake(): void;
  /** Somebody took bytes from the front. */
  inputTaken(): void;
}

/**
 * @internal The receiving half of a bufferevent: the buffer, its gate and marks, who waits for bytes, and how much may
 * be asked for.
 */
export class InputSide implements PullHost {
  readonly gate: Gate;
  marks: Watermarks;
  /** Bytes that have arrived, and how often some did. */
  receivedBytes = 0;
  receives = 0;
  /** The peer has ended its side. */
  ended = false;
  /** Reading has failed: what is buffered can still be taken, nothing more will come. */
  failure: Error | null = null;
  /** Bytes that arrive are dropped: after `end()`, with nobody to take them. */
  discarding = false;
  #buffer: Evbuffer | null = null;
  #pulls: PullQueue = noPulls;
  readonly #limits: Limits;
  readonly #callbacks: PendingCallbacks;
  readonly #closing: Closing;
  readonly #host: InputHost;
  #freed = false;
  /** Freed after a clean end with nothing left to take: pulls learn of the end. */
  #finished = false;
  /** Rests while a change of the buffer is ours, not the user's, unless somebody waits who has to know of both. */
  #watch: EvbufferWatch | null = null;
  #filling: 'no' | 'ours is to come' | 'ours has come' = 'no';

  constructor(limits: Limits, callbacks: PendingCallbacks, closing: Closing, host: InputHost) {
    this.gate = new Gate('read', false, host);
    this.marks = initialMarks(limits).read;
    this.#limits = limits;
    this.#callbacks = callbacks;
    this.#closing = closing;
    this.#host = host;
  }

  /** Made at first use: connections that wait have nothing in it. */
  get buffer(): Evbuffer {
    return this.#buffer ?? this.#makeBuffer();
  }

  #makeBuffer(): Evbuffer {
    const buffer = new Evbuffer();
    buffer.freeze('back');
    this.#watch = buffer.watch((_, { removed }) => {
      if (this.#filling === 'no') this.#changed(removed > 0);
      // This watcher is the first of the buffer: what it is told next comes from one of the user's.
      else if (this.#filling === 'ours is to come') this.#filling = 'ours has come';
      else this.#pulls.rewind();
    });
    this.#buffer = buffer;
    return buffer;
  }

  /** Bytes in the buffer. */
  get length(): number {
    return this.#buffer === null ? 0 : this.#buffer.length;
  }

  /** Whether somebody wants bytes: reading is enabled, or a pull waits. */
  #isWanted(): boolean {
    return this.gate.enabled || this.#pulls.waiting;
  }

  /** Whether `onRead` has something to see. Bytes that a pull waits for are not the handler's. */
  get readable(): boolean {
    return !this.#pulls.waiting && this.length > 0 && this.length >= this.marks.low;
  }

  setMarks(marks: Partial<Watermarks>): void {
    this.marks = resolveMarks(this.marks, marks);
    this.#checkHighMark();
  }

  /** Bytes that may be asked for now; 0: do not read. */
  allowance(): number {
    return this.#room(this.gate.suspended);
  }

  /** Bytes that may be added now by a layer, which has them already: limits of the rate were obeyed on their way to it. */
  room(): number {
    return this.#room(this.gate.suspendedBeyondRate);
  }

  #room(suspended: boolean): number {
    if (this.#freed || this.failure !== null || this.#closing.finishing) return 0;
    if (this.ended && !this.gate.enabled) return 0;
    if (!this.#isWanted() && !this.#closing.ending) return 0;
    const most = Math.min(this.#limits.bytesPerTurn, MAX_RECV_BYTES);
    if (this.discarding) return most;
    return suspended ? 0 : Math.min(this.#highMark() - this.length, most);
  }

  /**
   * After `end()`, a full input that nobody takes from would hide the peer's end for ever: from then on bytes are
   * dropped.
   */
  discardIfStuck(): void {
    if (!this.#closing.ending || this.discarding || !this.gate.isSuspendedFor('watermark')) return;
    if (this.#pulls.waiting || (this.gate.enabled && this.#callbacks.handlers?.onRead !== undefined)) return;
    this.discarding = true;
    this.#drop();
  }

  /** Bytes arrived, in memory that is leased from `owner`. Waiting pulls take theirs before `onRead` is asked for. */
  received(memory: Uint8Array, start: number, end: number, owner: LeaseOwner, lease: number): void {
    if (this.#freed || this.discarding) {
      owner.release(lease);
      return;
    }
    const { buffer } = this;
    this.#beginFilling(buffer, end - start);
    try {
      addReceived(buffer, memory, start, end, owner, lease);
    } catch (error) {
      surface(error);
    }
    this.#endFilling(buffer);
    if (!this.#freed) this.#supply();
  }

  /** As {@link received}, for the first `count` bytes of `source`, which are moved; nobody else sees `source`. */
  receivedFrom(source: Evbuffer, count: number): void {
    if (this.#freed || this.discarding) {
      source.drain(count);
      return;
    }
    const { buffer } = this;
    this.#beginFilling(buffer, count);
    try {
      handOver(source, buffer, count);
    } catch (error) {
      surface(error);
    }
    this.#endFilling(buffer);
    if (!this.#freed) this.#supply();
  }

  /** Opens the back. What a watcher of the user's throws until {@link #endFilling} surfaces by itself. */
  #beginFilling(buffer: Evbuffer, count: number): void {
    this.receivedBytes += count;
    this.receives++;
    const { waiting } = this.#pulls;
    this.#filling = waiting ? 'ours is to come' : 'ours has come';
    (this.#watch as EvbufferWatch).enabled = waiting;
    buffer.unfreeze('back');
  }

  #endFilling(buffer: Evbuffer): void {
    buffer.freeze('back');
    (this.#watch as EvbufferWatch).enabled = true;
    this.#filling = 'no';
  }

  /** There may be more to take: for pulls first, then for the handler, while reading is enabled. */
  #supply(): void {
    if (this.#pulls.waiting) this.#servePulls();
    this.#checkHighMark();
    if (this.gate.enabled && this.readable) this.#callbacks.readable(false);
  }

  receivedEnd(): void {
    this.ended = true;
    this.gate.enabled = false;
    this.#servePulls();
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.#servePulls();
    this.#checkHighMark();
  }

  /** The time-out named in `error`: who waits is told, the bytes stay. */
  timedOut(error: Error): void {
    this.#pulls.rejectAll(error);
    this.#checkHighMark();
  }

  pull<Value>(pull: Pull<Value>, signal: AbortSignal | undefined): Promise<Value> {
    const { promise } = pull;
    if (signal?.aborted) pull.reject(signal.reason);
    else if (this.#freed && !this.#finished) pull.reject(freedError());
    else if (this.discarding) {
      pull.reject(new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'the input was discarded after end()'));
    } else {
      if (this.#pulls === noPulls) this.#pulls = new PullQueue();
      this.#pulls.push(pull as Pull<unknown>, signal, this);
      if (this.#watch !== null) this.#watch.enabled = true;
      this.#servePulls();
      if (!this.#freed) {
        this.#checkHighMark();
        this.#host.wake();
      }
    }
    return promise;
  }

  /** Takes a line that is there, where no pull comes first; `null` when it has to be pulled, or refused. */
  readyLine({ style, maxBytes, encoding }: LineForm): string | null {
    if (this.#freed || this.#pulls.waiting) return null;
    const { buffer } = this;
    if (buffer.length > maxBytes) {
      const eol = buffer.indexOfEol(style);
      if (eol === null || eol.index > maxBytes) return null;
    }
    return buffer.readLine(style, encoding);
  }

  /** A pull gave up: what came for it meanwhile is the next one's, or the handler's. */
  abandoned(): void {
    if (this.#freed) return;
    this.#supply();
    this.#host.wake();
  }

  #servePulls(): void {
    if (!this.#pulls.waiting) return;
    this.#pulls.serve(this.buffer, this.ended || this.#finished);
    if (this.failure !== null) this.#pulls.rejectAll(this.failure);
  }

  /** Lets go of everything. */
  free(): void {
    this.#freed = true;
    this.#finished = this.#closing.clean && this.length === 0;
    this.gate.enabled = false;
    if (this.#finished) this.#servePulls();
    if (this.#pulls.waiting) this.#pulls.rejectAll(freedError());
    this.#drop();
  }

  /** The mark in force: one read that needs more lifts it for as long as it waits. */
  #highMark(): number {
    const { high } = this.marks;
    if (high === 0) return Infinity;
    return this.#pulls.waiting ? Math.max(high, this.#pulls.need) : high;
  }

  /** Reading rests from the mark on, and goes on the moment it is crossed downwards; nothing polls (RD-4, RD-5). */
  #checkHighMark(): void {
    const full = this.length >= this.#highMark();
    if (full === this.gate.isSuspendedFor('watermark')) return;
    if (full) this.gate.suspend('watermark');
    else this.gate.resume('watermark');
    this.#host.wake();
  }

  /** The user, or a pull, took bytes or put some in front. */
  #changed(taken: boolean): void {
    if (taken && !this.#pulls.waiting && !this.gate.suspended && !this.#closing.finishing) return;
    if (this.#freed) return;
    this.#pulls.rewind();
    if (!taken) this.#servePulls();
    this.#checkHighMark();
    if (taken) this.#host.inputTaken();
  }

  #drop(): void {
    if (this.#buffer === null) return;
    this.buffer.unfreeze('front');
    try {
      this.buffer.drain();
    } catch (error) {
      surface(error);
    }
  }
}
