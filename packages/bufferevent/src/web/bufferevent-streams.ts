import { type ReadableByteStreamController, ReadableStream, WritableStream } from 'node:stream/web';
import { argumentTypeError } from 'bufferevent-backend';
import type { ByteReadableStream, ByteWritableStream } from 'evbuffer/web';
import { checkObject } from '../arguments.js';
import type { Bufferevent } from '../bufferevent.js';
import { freedError } from '../errors.js';
import type { CloseCause } from '../events.js';
import { writePaced } from '../paced-write.js';
import { ownByStream } from '../stream-owner.js';

/** The two directions of a connection as web streams, and how it ended. */
export interface BuffereventStreams {
  readonly readable: ByteReadableStream;
  readonly writable: ByteWritableStream;
  /** `bev.closed`: resolves with the cause, never rejects. */
  readonly closed: Promise<CloseCause>;
}

/** Bytes in one chunk at most. */
const CHUNK_BYTES: number = 64 * 1024;

/** What `WritableStreamDefaultController` has; `@types/node` leaves out the signal. */
interface WritableController {
  readonly signal: AbortSignal;
  error(reason: unknown): void;
}

/** The two streams of one bufferevent, and what becomes of it when both are over. */
class Streams {
  readonly #bev: Bufferevent;
  readonly #readGivenUp: AbortController = new AbortController();
  #source!: ReadableByteStreamController;
  #sink!: WritableController;
  #pulling = false;
  #readOver = false;
  #writeOver = false;
  /** Something was lost: the connection is cut, not ended. */
  #broken = false;

  constructor(bev: Bufferevent) {
    this.#bev = bev;
  }

  openSource(controller: ReadableByteStreamController): void {
    this.#source = controller;
  }

  openSink(controller: WritableController): void {
    this.#sink = controller;
    // The stream calls `abort` only after the write under way, which may be waiting for the peer: this ends the wait.
    controller.signal.addEventListener('abort', () => this.abort(controller.signal.reason));
    void this.#bev.closed.then((cause) => this.#onClosed(cause));
  }

  async pull(): Promise<void> {
    const { input } = this.#bev;
    this.#pulling = true;
    try {
      // Waits for one byte; what came with it is taken into the reader's memory without a copy in between.
      const first = input.length > 0 ? noBytes : await this.#bev.read(1, { signal: this.#readGivenUp.signal });
      if (this.#readOver) return;
      if (first === null) this.#readEnded();
      else this.#deliver(first);
    } catch (error) {
      this.#failRead(error);
    } finally {
      this.#pulling = false;
    }
  }

  #deliver(first: Uint8Array): void {
    const { input } = this.#bev;
    const request = this.#source.byobRequest;
    const view = request?.view;
    const target = view
      ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
      : new Uint8Array(Math.min(CHUNK_BYTES, first.length + input.length));
    target.set(first);
    const taken = input.remove(target.subarray(first.length));
    if (request && view) request.respond(first.length + taken);
    else this.#source.enqueue(target);
  }

  #readEnded(): void {
    try {
      this.#source.close();
      // Without this a read into the caller's memory would stay pending.
      this.#source.byobRequest?.respond(0);
    } catch {
      // The end came inside an element of the caller's array: the stream has told the reader.
    }
    this.#over('read');
  }

  #failRead(error: unknown): void {
    if (this.#readOver) return;
    this.#broken = true;
    this.#source.error(error);
    this.#over('read');
  }

  cancel(): void {
    const bev = this.#bev;
    this.#readGivenUp.abort();
    if (!bev.freed) {
      bev.disable('read');
      bev.input.drain();
    }
    this.#over('read');
  }

  write(chunk: unknown): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      writePaced(this.#bev, [asBytes(chunk)], (error) => (error === null ? resolve() : reject(error)));
    }).catch((error: unknown) => this.#failWrite(error));
  }

  async close(): Promise<void> {
    const bev = this.#bev;
    try {
      if (!bev.writeEnded) {
        bev.halfClose();
        await bev.drained();
      }
    } catch (error) {
      this.#failWrite(error);
    }
    this.#over('write');
  }

  /** The stream makes its own of the exception. */
  #failWrite(error: unknown): never {
    this.#broken = true;
    this.#over('write');
    throw error;
  }

  abort(reason: unknown): void {
    if (this.#writeOver) return;
    this.#writeOver = true;
    this.#failRead(reason);
    this.#bev.free();
  }

  /** Bytes that came before a failure can still be read; the next pull after them meets it. */
  #onClosed(cause: CloseCause): void {
    if (cause.kind === 'clean') return;
    const error = cause.kind === 'freed' ? freedError() : cause.error;
    this.#broken = true;
    if (!this.#writeOver) {
      this.#sink.error(error);
      this.#over('write');
    }
    if (!this.#pulling && this.#bev.input.length === 0) this.#failRead(error);
  }

  #over(side: 'read' | 'write'): void {
    if (side === 'read') this.#readOver = true;
    else this.#writeOver = true;
    const bev = this.#bev;
    if (!this.#readOver || !this.#writeOver) return;
    if (this.#broken) bev.free();
    else void bev.end().then(() => bev.free());
  }
}

const noBytes = new Uint8Array(0);

/** What a bufferevent takes, of what a writer may be given. Not copied. */
function asBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer || chunk instanceof SharedArrayBuffer) return new Uint8Array(chunk);
  throw argumentTypeError('chunk', 'a string, an ArrayBuffer or a view of one', chunk);
}

/**
 * Web streams over any bufferevent: a byte stream (BYOB readers read into their own memory) and a writable stream. They
 * own what the bufferevent reads and writes, and its end; its handlers stay the user's, for events.
 *
 * - Reading happens while a reader waits, so that the peer feels who does not read. Chunks are copies of at most 64 KiB
 *   that belong to the reader. Bytes that came before a failure are read first, then reads reject with its error.
 * - A write copies, and is done (`ready`, its promise) when the output is below its high mark.
 * - `close()` is `halfClose()`, done when the system has taken all. `cancel()` disables reading and drops what came; writing
 *   goes on. `abort(reason)` is `free()`: what was not sent is lost, and reads reject with the reason.
 * - When both are over, the connection is ended (`bev.end()`), or freed when one of them failed.
 *
 * @throws BuffereventError `ERR_BUFFEREVENT_FREED`, `ERR_BUFFEREVENT_COVERED` when a stream owns it already
 */
export function toWeb(bev: Bufferevent): BuffereventStreams {
  checkObject('bev', bev);
  ownByStream(bev);
  const streams = new Streams(bev);
  const readable = new ReadableStream(
    {
      type: 'bytes',
      start: (controller: ReadableByteStreamController) => streams.openSource(controller),
      pull: () => streams.pull(),
      cancel: () => streams.cancel(),
    },
    { highWaterMark: 0 },
  );
  const writable = new WritableStream(
    {
      start: (controller) => streams.openSink(controller as unknown as WritableController),
      write: (chunk) => streams.write(chunk),
      close: () => streams.close(),
      abort: (reason) => streams.abort(reason),
    },
    { highWaterMark: 1 },
  );
  return {
    readable: readable as unknown as ByteReadableStream,
    writable: writable as unknown as ByteWritableStream,
    closed: bev.closed,
  };
}
