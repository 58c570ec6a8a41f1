import type { Segment } from 'bufferevent-backend';
import type { Evbuffer } from 'evbuffer';
import { FileAhead } from './file-ahead.js';
import type { OutputSide } from './output-side.js';
import { peekReadable, segmentBytes } from './segments.js';

/** What a tap needs of the bufferevent around it. */
export interface TapHost {
  /** Bytes of a file were read: look again. */
  tapFilled(): void;
  /** The bytes that are next can't be had: those of a file, or memory that its user has detached. */
  tapFailed(error: Error): void;
}

const segments: Segment[] = [];
const noBytes = new Uint8Array(0);

/** Segments that are kept for the next look. */
const MAX_KEPT_SEGMENTS = 1024;

/**
 * Takes bytes out of an output for those who need them in memory: layers, pairs, adapters. Bytes in files are read ahead
 * without blocking (see {@link FileAhead}) and copied once; all others are moved.
 */
export class OutputTap {
  readonly #side: OutputSide;
  readonly #host: TapHost;
  #ahead: FileAhead | null = null;

  constructor(side: OutputSide, host: TapHost) {
    this.#side = side;
    this.#host = host;
  }

  /** Moves up to `max` of the bytes that can be had now to the back of `target`; `left` of the side tells of it. @returns how many */
  moveTo(target: Evbuffer, max: number): number {
    const { buffer } = this.#side;
    if (buffer.length === 0 || max === 0) return 0;
    const range = buffer.fileBytes === 0 ? null : buffer.peekFile();
    if (range === null) return this.#moveMemory(target, max);
    if (this.#ahead?.continues(range) !== true) {
      this.close();
      this.#ahead = new FileAhead(range, () => this.#host.tapFilled());
    }
    const { failure } = this.#ahead;
    if (failure !== null) {
      this.close();
      this.#host.tapFailed(failure);
      return 0;
    }
    if (this.#ahead.peekInto(segments, max) === 0) return 0;
    const { memory, start, end } = segments[0] as Segment;
    target.add(memory.subarray(start, end));
    this.#ahead.sent(end - start);
    this.#side.drop(end - start);
    return end - start;
  }

  /** Only what is in front of the first byte in a file, or that can't be looked at. */
  #moveMemory(target: Evbuffer, max: number): number {
    let count: number;
    try {
      count = peekReadable(this.#side.buffer, segments, max);
    } catch (error) {
      this.#host.tapFailed(error as Error);
      return 0;
    }
    const bytes = segmentBytes(segments, count);
    if (segments.length > MAX_KEPT_SEGMENTS) segments.length = MAX_KEPT_SEGMENTS;
    for (let i = 0; i < Math.min(count, MAX_KEPT_SEGMENTS); i++) (segments[i] as Segment).memory = noBytes;
    return this.#side.moveTo(target, bytes);
  }

  close(): void {
    this.#ahead?.close();
    this.#ahead = null;
  }
}
