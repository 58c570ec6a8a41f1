import { argumentTypeError, surface } from 'bufferevent-backend';
import { Evbuffer, type EvbufferEncoding, type EvbufferWatch, isEvbuffer } from 'evbuffer';
import { checkSignal } from './arguments.js';
import type { PendingCallbacks } from './callbacks.js';
import { DrainWaiters, noWaiters } from './drain-waiters.js';
import { BuffereventError, freedError } from './errors.js';
import { Gate, type GateHost } from './gate.js';
import type { Limits } from './limits.js';
import { gather } from './small-pieces.js';
import { initialMarks, resolveMarks, type Watermarks } from './watermarks.js';

/** @internal What the output needs of the bufferevent around it. */
export interface OutputHost extends GateHost {
  /** The allowance may have changed. */
  wake(): void;
  /** Whether the system has taken everything that has left the output. */
  settled(): boolean;
  /** The hard cap is passed: give the connection up. */
  outputOverflowed(error: BuffereventError): void;
}

/** @internal The sending half of a bufferevent: the buffer, its gate and marks, the hard cap, and who waits for room. */
export class OutputSide {
  readonly gate: Gate;
  marks: Watermarks;
  /** Bytes that have left: what a watch finds gone is counted. And how often some did. */
  sentBytes = 0;
  sends = 0;
  /** Writing has failed: what is queued stays, further writes are dropped. */
  failure: Error | null = null;
  #buffer: Evbuffer | null = null;
  /** For what users do to the buffer; rests while {@link write} does it. */
  #watch: EvbufferWatch | null = null;
  #waiters: DrainWaiters = noWaiters;
  readonly #limits: Limits;
  readonly #callbacks: PendingCallbacks;
  readonly #host: OutputHost;
  #freed = false;

  constructor(limits: Limits, callbacks: PendingCallbacks, host: OutputHost) {
    this.gate = new Gate('write', true, host);
    this.marks = initialMarks(limits).write;
    this.#limits = limits;
    this.#callbacks = callbacks;
    this.#host = host;
  }

  /** Made at first use: connections that wait have nothing in it. */
  get buffer(): Evbuffer {
    return this.#buffer ?? this.#makeBuffer();
  }

  #makeBuffer(): Evbuffer {
    const buffer = new Evbuffer();
    buffer.freeze('front');
    this.#watch = buffer.watch((_, { added }) => {
      if (added > 0) this.#grew();
    });
    this.#buffer = buffer;
    return buffer;
  }

  /** Bytes in the buffer. */
  get length(): number {
    return this.#buffer === null ? 0 : this.#buffer.length;
  }

  setMarks(marks: Partial<Watermarks>): void {
    this.marks = resolveMarks(this.marks, marks);
  }

  /** Bytes that may be sent now; 0: do not write. */
  allowance(): number {
    if (this.#freed || this.failure !== null || !this.gate.enabled || this.gate.suspended) return 0;
    return this.#buffer === null ? 0 : Math.min(this.#buffer.length, this.#limits.bytesPerTurn);
  }

  /** @returns whether more is welcome */
  write(data: string | Uint8Array | Evbuffer, encoding: EvbufferEncoding | undefined): boolean {
    const moved = isEvbuffer(data);
    if (!moved && typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw argumentTypeError('data', 'a string, a Uint8Array or an Evbuffer', data);
    }
    if (this.failure !== null) {
      if (moved) data.drain(data.length);
      return false;
    }
    if (moved) this.#checkLimit(data.length, data);
    // No encoding makes more than three bytes of a character: nearly always, nothing has to be counted.
    else if (typeof data !== 'string') this.#checkLimit(data.length);
    else if (this.#exceedsLimit(3 * data.length)) this.#checkLimit(Buffer.byteLength(data, encoding));
    const { buffer } = this;
    const watch = this.#watch as EvbufferWatch;
    watch.enabled = false;
    try {
      if (moved) gather(data, buffer, data.length);
      else buffer.add(data, encoding);
    } finally {
      watch.enabled = true;
      this.#grew();
    }
    const { high } = this.marks;
    return high === 0 || buffer.length <= high;
  }

  drained(signal: AbortSignal | undefined): Promise<void> {
    checkSignal(signal);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#freed) return Promise.reject(freedError());
    // First: what was written since is dropped, and who waits for its way out and goes on would do so for ever.
    if (this.failure !== null) return Promise.reject(this.failure);
    if (this.length === 0 && this.#host.settled()) return Promise.resolve();
    if (this.#waiters === noWaiters) this.#waiters = new DrainWaiters();
    return this.#waiters.add(signal);
  }

  /** The first `count` bytes were taken by the system; they are unpinned. */
  sent(count: number): void {
    this.drop(count);
    this.left();
  }

  /** Takes the first `count` bytes away; {@link left} tells of it. */
  drop(count: number): void {
    const { buffer } = this;
    this.sentBytes += count;
    buffer.unfreeze('front');
    try {
      buffer.drain(count);
    } catch (error) {
      surface(error);
    }
    buffer.freeze('front');
  }

  /**
   * Moves up to `max` bytes from the front to the back of `target`, which nobody else sees; {@link left} tells of it.
   * @returns how many
   */
  moveTo(target: Evbuffer, max: number): number {
    const count = Math.min(max, this.length);
    if (count === 0) return 0;
    this.sentBytes += count;
    this.buffer.unfreeze('front');
    try {
      gather(this.buffer, target, count);
    } catch (error) {
      surface(error);
    }
    this.buffer.freeze('front');
    return count;
  }

  /** Bytes have left: the handler and those who wait are told. */
  left(): void {
    this.sends++;
    if (this.length <= this.marks.low && this.failure === null) this.#callbacks.writable();
    this.checkDrained();
  }

  /** Whoever waits for an empty output is told, if that is what it is. */
  checkDrained(): void {
    if (this.#waiters.waiting && this.length === 0 && this.#host.settled()) this.#waiters.resolveAll();
  }

  /** Nothing more is added, not even past {@link write}. */
  close(): void {
    this.buffer.freeze('back');
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.#waiters.rejectAll(this.failure);
  }

  /** The time-out named in `error`: who waits is told. */
  timedOut(error: Error): void {
    this.#waiters.rejectAll(error);
  }

  /** What is queued stays in memory until {@link clear}: the system may still be reading it (C4). */
  free(): void {
    this.#freed = true;
    this.gate.enabled = false;
    if (this.#waiters.waiting) this.#waiters.rejectAll(freedError());
  }

  clear(): void {
    if (this.#buffer === null) return;
    this.buffer.unfreeze('front');
    try {
      this.buffer.clear();
    } catch (error) {
      surface(error);
    }
    this.buffer.freeze('front');
  }

  #grew(): void {
    if (this.#freed || this.failure !== null) return;
    if (this.#exceedsLimit(0)) this.#overflow();
    else this.#host.wake();
  }

  /** Bytes in files take no memory, and do not count. They are counted only when all together would be too many. */
  #exceedsLimit(more: number, source?: Evbuffer): boolean {
    const { outputMaxBytes } = this.#limits;
    const length = this.length + more;
    return length > outputMaxBytes && length - this.buffer.fileBytes - (source?.fileBytes ?? 0) > outputMaxBytes;
  }

  #checkLimit(more: number, source?: Evbuffer): void {
    if (this.#exceedsLimit(more, source)) throw this.#overflow();
  }

  /** The peer does not read, and the user does not listen. */
  #overflow(): BuffereventError {
    const message = `more than ${this.#limits.outputMaxBytes} bytes wait to be sent`;
    const error = new BuffereventError('ERR_BUFFEREVENT_OUTPUT_LIMIT', message);
    this.#host.outputOverflowed(error);
    return error;
  }
}
