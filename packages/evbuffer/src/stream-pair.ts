import { checkCount } from './arguments.js';
import { EvbufferError, frozenFront, typeError } from './errors.js';
import { checkEvbuffer, Evbuffer } from './evbuffer.js';
import { allocate, MAX_SLAB_BYTES } from './memory.js';
import { isBytes } from './platform.js';
import type { ByteReadableStream, ByteWritableStream } from './stream-types.js';
import type { EvbufferWatch } from './watch.js';

export interface StreamPairOptions {
  /** The buffer between the two streams, which may hold bytes already. Default: a new one. */
  readonly buffer?: Evbuffer;
  /**
   * Bytes in the buffer from which on writers wait; 0 and 1 mean until it is empty. More than the largest message, when
   * whole messages are to be taken from the buffer itself. Default 64 KiB.
   */
  readonly highWaterMark?: number;
}

/** Two streams and the buffer between them. Fits where a transform is wanted: `source.pipeThrough(pair)`. */
export interface StreamPair {
  readonly buffer: Evbuffer;
  readonly readable: ByteReadableStream;
  readonly writable: ByteWritableStream;
}

interface ReadableController {
  readonly byobRequest: { readonly view: ArrayBufferView | null; respond(bytes: number): void } | null;
  enqueue(chunk: Uint8Array): void;
  close(): void;
  error(reason: unknown): void;
}

interface WritableController {
  readonly signal: { readonly reason: unknown; addEventListener(type: 'abort', listener: () => void): void };
  error(reason: unknown): void;
}

interface Host {
  ReadableStream?: new (
    source: {
      type: 'bytes';
      start(controller: ReadableController): void;
      pull(): Promise<void>;
      cancel(reason: unknown): void;
    },
    strategy: { highWaterMark: number },
  ) => object;
  WritableStream?: new (
    sink: {
      start(controller: WritableController): void;
      write(chunk: unknown): Promise<void>;
      close(): void;
      abort(reason: unknown): void;
    },
    strategy: { highWaterMark: number },
  ) => object;
}

const DEFAULT_HIGH_WATER_MARK = 64 * 1024;
const MAX_CHUNK_BYTES = MAX_SLAB_BYTES;

function unsupported(options?: ErrorOptions): EvbufferError {
  return new EvbufferError('ERR_EVBUFFER_UNSUPPORTED', 'this runtime has no byte streams', options);
}

/** What `Evbuffer.add` takes, of what a writer may be given. */
function asAddable(chunk: unknown): Uint8Array | string {
  if (typeof chunk === 'string' || isBytes(chunk)) return chunk;
  try {
    if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (/^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(chunk))) {
      return new Uint8Array(chunk as ArrayBufferLike);
    }
  } catch {
    throw typeError('the memory of a chunk was detached or shrunk');
  }
  throw typeError('a chunk must be a string, an ArrayBuffer or a view of one');
}

/** The two ends of a pair, as the streams drive them. */
class Conduit {
  readonly #buffer: Evbuffer;
  readonly #fullBytes: number;
  #watch!: EvbufferWatch;
  #source!: ReadableController;
  #sink!: WritableController;
  #closed = false;
  /** Nothing goes in or out any more: the readable has ended, or `#reason` tells writes why it did not come to that. */
  #over = false;
  #reason: unknown;
  #news: Promise<void> | null = null;
  #tell: (() => void) | null = null;

  constructor(buffer: Evbuffer, highWaterMark: number) {
    this.#buffer = buffer;
    this.#fullBytes = Math.max(1, highWaterMark);
  }

  /**
   * Resolves after the next change of the buffer or of the state. Who waits goes on in a microtask, not inside the call
   * that changes the buffer: what is added in one go leaves in one go, and its caller meets no error of a stream.
   */
  #change(): Promise<void> {
    this.#news ??= new Promise((resolve) => {
      this.#tell = resolve;
    });
    return this.#news;
  }

  /** Also where the watch does it: `buffer[Symbol.dispose]()` drops the watch. */
  #wake(): void {
    this.#tell?.();
    this.#news = null;
    this.#tell = null;
  }

  #end(): void {
    this.#over = true;
    this.#watch.dispose();
    this.#wake();
  }

  #fail(reason: unknown): void {
    if (this.#over) return;
    this.#reason = reason;
    this.#end();
    this.#source.error(reason);
    this.#sink.error(reason);
  }

  /** Never rejects: nobody awaits it. */
  async #endWhenEmpty(): Promise<void> {
    while (this.#buffer.length > 0 && !this.#over) await this.#change();
    if (this.#over) return;
    this.#end();
    try {
      this.#source.close();
      // Without this a read into the caller's memory would stay pending.
      this.#source.byobRequest?.respond(0);
    } catch {
      // The end came inside an element of the caller's array: the stream has told the reader.
    }
  }

  openSource(controller: ReadableController): void {
    this.#source = controller;
  }

  async pull(): Promise<void> {
    const buffer = this.#buffer;
    this.#wake();
    while (buffer.length === 0 && !this.#over) await this.#change();
    if (this.#over) return;
    try {
      this.#deliver();
    } catch (error) {
      this.#fail(error);
    }
  }

  #deliver(): void {
    const buffer = this.#buffer;
    const request = this.#source.byobRequest;
    const view = request?.view;
    const target = view
      ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
      : allocate(Math.min(MAX_CHUNK_BYTES, buffer.length));
    if (buffer.isFrozen('front')) throw frozenFront();
    const bytes = buffer.copyOut(target);
    try {
      buffer.drain(bytes);
    } finally {
      this.#wake();
      // Also when a watcher or a release callback threw: the bytes have left the buffer.
      if (!this.#over) {
        if (request && view) request.respond(bytes);
        else this.#source.enqueue(target);
      }
    }
  }

  cancel(reason: unknown): void {
    if (this.#over) return;
    this.#fail(reason);
    this.#buffer.clear();
  }

  openSink(controller: WritableController): void {
    this.#sink = controller;
    this.#watch = this.#buffer.watch(() => this.#wake());
    // The stream calls `abort` only after the write under way, which may be waiting for readers: this ends the wait.
    const { signal } = controller;
    signal.addEventListener('abort', () => {
      if (this.#closed || this.#over) return;
      // Not always the reason that `abort` gets: the signal makes one of its own for undefined.
      this.#reason = signal.reason;
      this.#end();
    });
  }

  async write(chunk: unknown): Promise<void> {
    const buffer = this.#buffer;
    try {
      buffer.add(asAddable(chunk));
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    this.#wake();
    while (buffer.length >= this.#fullBytes && !this.#over) await this.#change();
    if (this.#over) throw this.#reason;
  }

  close(): void {
    this.#closed = true;
    void this.#endWhenEmpty();
  }

  abort(reason: unknown): void {
    this.#source.error(reason);
    this.#buffer.clear();
  }
}

/**
 * Makes a byte stream and a writable stream around a buffer: what is written goes to the buffer's back, what is read
 * comes from its front. The buffer may be used directly meanwhile: what is added to it can be read, what is drained from
 * it makes room, and reads that wait get what is added in one turn together.
 *
 * - Writing copies: strings (as utf8), `ArrayBuffer`s and their views stay the writer's. A write is in the buffer at once,
 *   and done (`ready`, `desiredSize`, its promise) when the buffer holds less than `highWaterMark` bytes.
 * - Reading copies too: chunks of at most 64 KiB in memory of the reader's own, or, with a BYOB reader, straight into the
 *   reader's memory. Nothing leaves the buffer before somebody reads.
 * - `close()` is done at once; the readable ends when the buffer is empty.
 * - `abort(reason)` makes reads fail, `cancel(reason)` makes writes fail, also those under way, with that reason, and
 *   `closed` of both ends; what the buffer holds is discarded, so that lent memory is given back. With a frozen front it
 *   stays, and `abort` or `cancel` rejects with ERR_EVBUFFER_FROZEN_FRONT. A write under way fails with an `AbortError` when
 *   `abort` got no reason.
 * - What the buffer refuses (ERR_EVBUFFER_FROZEN_BACK, ERR_EVBUFFER_FROZEN_FRONT, ERR_EVBUFFER_DETACHED, …), and a chunk of
 *   another kind or of detached memory (a `TypeError` ERR_EVBUFFER_INVALID_ARGUMENT), makes both streams fail with that
 *   error; what the buffer holds stays there.
 * - So does an exception of a watcher or a release callback: what was read then is delivered first, what was written is in
 *   the buffer.
 *
 * The pair watches the buffer until the readable has ended or failed. After `buffer[Symbol.dispose]()`, which drops that
 * watch, reads that wait learn only of what is written, no more of what is added directly.
 * Throws ERR_EVBUFFER_UNSUPPORTED where the runtime has no `WritableStream`, or no `ReadableStream` for bytes;
 * ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_OUT_OF_RANGE.
 */
export function createStreamPair(options: StreamPairOptions = {}): StreamPair {
  if (typeof options !== 'object' || options === null) throw typeError('options must be an object');
  const { buffer = new Evbuffer(), highWaterMark = DEFAULT_HIGH_WATER_MARK } = options;
  checkEvbuffer(buffer, 'buffer');
  checkCount(highWaterMark, 'highWaterMark');
  const { ReadableStream, WritableStream } = globalThis as unknown as Host;
  if (typeof ReadableStream !== 'function' || typeof WritableStream !== 'function') throw unsupported();
  const conduit = new Conduit(buffer, highWaterMark);
  let readable: object;
  try {
    readable = new ReadableStream(
      {
        type: 'bytes',
        start: (controller) => conduit.openSource(controller),
        pull: () => conduit.pull(),
        cancel: (reason) => conduit.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  } catch (cause) {
    throw unsupported({ cause });
  }
  const writable = new WritableStream(
    {
      start: (controller) => conduit.openSink(controller),
      write: (chunk) => conduit.write(chunk),
      close: () => conduit.close(),
      abort: (reason) => conduit.abort(reason),
    },
    { highWaterMark: 1 },
  );
  return { buffer, readable: readable as ByteReadableStream, writable: writable as ByteWritableStream };
}
