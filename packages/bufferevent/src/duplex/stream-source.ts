import type { Readable } from 'node:stream';
import { argumentTypeError, Errno, type Segment, systemError } from 'bufferevent-backend';

/**
 * @internal The readable side of a foreign stream: flows or rests as it is told, and keeps what came too much.
 *
 *      stream ──'data'──► held chunks [start …) ──take(max)──► the input
 *
 * A chunk belongs to the taker from its 'data' event on.
 */
export class StreamSource {
  readonly #stream: Readable;
  readonly #copies: boolean;
  readonly #onNews: () => void;
  readonly #held: Uint8Array[] = [];
  /** The first byte of the first chunk that was not taken. */
  #start = 0;
  #flowing = false;
  #given = false;
  ended: boolean;
  failure: Error | null;
  closed: boolean;
  readonly #segment: Segment = { memory: nothing, start: 0, end: 0 };

  /** @param onNews called when bytes, the end or a failure have come, or the stream has closed */
  constructor(stream: Readable, copies: boolean, onNews: () => void) {
    this.#stream = stream;
    this.#copies = copies;
    this.#onNews = onNews;
    this.ended = stream.readableEnded;
    this.closed = stream.closed;
    this.failure = stream.errored ?? (stream.destroyed && !this.ended ? brokenOff() : null);
    // Before the 'data' listener is attached, which would start the flow.
    stream.pause();
    stream.on('data', (chunk: unknown) => this.#onData(chunk));
    stream.on('end', () => {
      this.ended = true;
      this.#news();
    });
    stream.on('error', (error: Error) => {
      this.failure ??= error;
      this.#news();
    });
    stream.on('close', () => {
      this.closed = true;
      if (!this.ended) this.failure ??= brokenOff();
      this.#news();
    });
  }

  /** Whether there are bytes to take. */
  get filled(): boolean {
    return this.#held.length > 0;
  }

  /** @returns whether this changed something */
  setFlowing(flowing: boolean): boolean {
    if (flowing === this.#flowing) return false;
    this.#flowing = flowing;
    if (flowing) this.#stream.resume();
    else this.#stream.pause();
    return true;
  }

  /** Takes up to `max` of the bytes that are there; the answer is reused by the next call. */
  take(max: number): Segment {
    const segment = this.#segment;
    const memory = this.#held[0] as Uint8Array;
    segment.memory = memory;
    segment.start = this.#start;
    segment.end = Math.min(memory.length, this.#start + max);
    this.#start = segment.end;
    if (segment.end === memory.length) {
      this.#held.shift();
      this.#start = 0;
    }
    return segment;
  }

  /** Drops what is held; only `closed` is told from now on. */
  giveUp(): void {
    this.#given = true;
    this.#held.length = 0;
  }

  #onData(chunk: unknown): void {
    if (this.#given) return;
    if (!(chunk instanceof Uint8Array)) {
      this.failure ??= argumentTypeError('chunk', 'a Uint8Array', chunk);
      this.#stream.destroy();
    } else if (chunk.length > 0) this.#held.push(this.#copies ? Buffer.from(chunk) : chunk);
    this.#news();
  }

  #news(): void {
    if (!this.#given || this.closed) this.#onNews();
  }
}

const nothing = new Uint8Array(0);

/** A stream that closes without an end and without an error is what a reset is to a socket; Node's http says the same. */
function brokenOff(): Error {
  return systemError(-Errno.ECONNRESET, 'read');
}
