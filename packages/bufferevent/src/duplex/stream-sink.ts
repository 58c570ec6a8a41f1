import type { Writable } from 'node:stream';
import { Errno, systemError } from 'bufferevent-backend';

/** @internal The writable side of a foreign stream: one write at a time, so that its callback says how far it has come. */
export class StreamSink {
  readonly #stream: Writable;
  readonly #onNews: () => void;
  readonly #onWritten = (error?: Error | null): void => {
    if (error != null) this.failure ??= this.#causeOf(error);
    else this.#written += this.#writing;
    this.#writing = 0;
    this.#news();
  };
  #writing = 0;
  #written = 0;
  #ending = false;
  #finished: boolean;
  #given = false;
  failure: Error | null;
  closed: boolean;

  /** @param onNews called when a write is done, the end or a failure has come, or the stream has closed */
  constructor(stream: Writable, onNews: () => void) {
    this.#stream = stream;
    this.#onNews = onNews;
    this.#finished = stream.writableFinished;
    this.closed = stream.closed;
    this.failure = stream.errored ?? (stream.destroyed && !this.#finished ? brokenOff() : null);
    stream.on('drain', () => this.#news());
    stream.on('finish', () => {
      this.#finished = true;
      this.#news();
    });
    stream.on('error', (error: Error) => {
      this.failure ??= error;
      this.#news();
    });
    stream.on('close', () => {
      this.closed = true;
      if (!this.#finished) this.failure ??= brokenOff();
      this.#news();
    });
  }

  /** Whether the stream takes more; what others have written to it counts too. */
  get ready(): boolean {
    return this.#writing === 0 && !this.#stream.writableNeedDrain;
  }

  /** Our end was asked for, and is done. */
  get ended(): boolean {
    return this.#ending && this.#finished;
  }

  /** Hands bytes to the stream, which may keep them: they are not to be used for anything else. */
  write(bytes: Uint8Array): void {
    if (this.#finished || this.#stream.writableEnded) {
      this.failure ??= brokenOff();
      return;
    }
    this.#writing = bytes.length;
    try {
      this.#stream.write(bytes, this.#onWritten);
    } catch (error) {
      this.failure ??= error as Error;
      this.#writing = 0;
    }
  }

  /** Bytes that were written since the last call. */
  takeWritten(): number {
    const written = this.#written;
    this.#written = 0;
    return written;
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    if (!this.#stream.writableEnded) this.#stream.end();
  }

  /** Only `closed` is told from now on. */
  giveUp(): void {
    this.#given = true;
  }

  /** A write that was dropped because the stream was destroyed failed for the reason of that. */
  #causeOf(error: Error): Error {
    if ((error as { code?: string }).code !== 'ERR_STREAM_DESTROYED') return error;
    return this.#stream.errored ?? brokenOff();
  }

  #news(): void {
    if (!this.#given || this.closed) this.#onNews();
  }
}

/** Nobody will take what is written: the stream was closed, or ended by somebody else. */
function brokenOff(): Error {
  return systemError(-Errno.EPIPE, 'write');
}
