import type { Handle, Port, Segment } from 'bufferevent-backend';
import type { Evbuffer, FileRange } from 'evbuffer';
import type { EventBase } from './event-base.js';
import { FileAhead } from './file-ahead.js';
import { peekReadable, segmentBytes } from './segments.js';

/** @internal What sending needs of the socket around it. */
export interface SendingHost {
  readonly base: EventBase;
  /** Of `max` bytes that may be sent, those that the system may take from a file by itself. */
  limitFile(max: number): number;
  /** A read of the file that is sent next is over: there may be something to send. */
  fileRead(): void;
}

/** Memory of the segments of one send; read by the port during the call only, so one list serves all. */
const segments: Segment[] = [];
const noBytes = new Uint8Array(0);

/** Segments handed to one send; what is more waits for the next. */
const MAX_SEGMENTS_PER_SEND = 1024;

/**
 * @internal The send of a socket that is in flight, how the next one is made of what comes first in a buffer, and the end
 * after the last:
 *
 *      memory ─────────────────────────────────────────► port.send
 *      file   ── where the backend can send from it ───► port.sendFile
 *             ── else ── read ahead, and copied once ──► port.send
 *
 * What was handed over stays as it is until {@link completed} (C4). Whether anything may be sent is not decided here.
 */
export class Sending {
  inFlight = false;
  readonly #host: SendingHost;
  readonly #port: Port;
  /** Reads what is sent next, while it comes from a file that the backend can't send from. A send in flight is from it. */
  #ahead: FileAhead | null = null;
  #shutdownSubmitted = false;

  constructor(host: SendingHost) {
    this.#host = host;
    this.#port = host.base.port;
  }

  /**
   * Hands over up to `max` bytes from the front of `source`; nothing yet, when they are to be read first: `fileRead` comes
   * back to it. Only while nothing is in flight.
   * @returns why they can't be read, where that is so; what is in front of them was sent before
   */
  send(handle: Handle, source: Evbuffer, max: number): Error | null {
    let count: number;
    try {
      count = peekReadable(source, segments, max, MAX_SEGMENTS_PER_SEND);
    } catch (error) {
      this.drop();
      return error as Error;
    }
    if (count === 0) return this.#sendFromFile(handle, source, max);
    if (this.#ahead !== null) this.drop();
    source.pin(segmentBytes(segments, count));
    this.#submit(handle, count);
    return null;
  }

  /** Submits the end; once. */
  shutdown(handle: Handle): void {
    if (this.#shutdownSubmitted) return;
    this.#shutdownSubmitted = true;
    this.#port.shutdown(handle);
  }

  /** Another handle comes: its end is another end. */
  renew(): void {
    this.#shutdownSubmitted = false;
  }

  /** The send in flight is over: its memory belongs to `source` again. */
  completed(source: Evbuffer): void {
    this.inFlight = false;
    source.unpin();
  }

  /** Of the send that was completed, `count` bytes are on their way. */
  sent(count: number): void {
    if (this.#ahead !== null) this.#ahead.sent(count);
  }

  /** Gives up what was read ahead. Only while no send is in flight: its memory may be used for something else at once (C4). */
  drop(): void {
    this.#ahead?.close();
    this.#ahead = null;
  }

  #submit(handle: Handle, count: number): void {
    this.inFlight = true;
    this.#port.send(handle, segments, count);
    for (let i = 0; i < count; i++) (segments[i] as Segment).memory = noBytes;
  }

  #sendFromFile(handle: Handle, source: Evbuffer, max: number): Error | null {
    const range = source.peekFile() as FileRange;
    const { file, offset, length } = range;
    if (!this.#host.base.backend.supports.sendFile || file.descriptor < 0) return this.#sendRead(handle, range, max);
    if (this.#ahead !== null) this.drop();
    const bytes = Math.min(length, this.#host.limitFile(max));
    source.pin(bytes);
    this.inFlight = true;
    this.#port.sendFile(handle, file.descriptor, file.offset + offset, bytes);
    return null;
  }

  /** Sends what has been read of a file, if anything has. */
  #sendRead(handle: Handle, range: FileRange, max: number): Error | null {
    if (this.#ahead?.continues(range) !== true) {
      this.drop();
      this.#ahead = new FileAhead(range, () => this.#host.fileRead());
    }
    const { failure } = this.#ahead;
    if (failure !== null) {
      this.drop();
      return failure;
    }
    const count = this.#ahead.peekInto(segments, max);
    if (count > 0) this.#submit(handle, count);
    return null;
  }
}
