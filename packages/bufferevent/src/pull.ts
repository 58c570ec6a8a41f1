import { surface } from 'bufferevent-backend';
import type { EolMatch, EolStyle, Evbuffer } from 'evbuffer';
import { listenForAbort } from './abort.js';
import { checkEncoding, checkLimit, checkLineStyle, checkObject, checkSignal } from './arguments.js';
import { type Deferred, withResolvers } from './deferred-promise.js';
import { BuffereventError } from './errors.js';
import type { Limits } from './limits.js';

export interface PullOptions {
  /** Gives up waiting: rejects with `signal.reason`, having taken nothing. */
  readonly signal?: AbortSignal;
}

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

/** What `readLine()` and `lines()` were asked for. */
export interface LineForm {
  readonly style: EolStyle;
  readonly maxBytes: number;
  readonly encoding: 'utf8' | 'latin1';
  readonly signal: AbortSignal | undefined;
}

/** Throws `TypeError`/`RangeError` for what is no line to ask for. */
export function lineForm(style: EolStyle, options: ReadLineOptions, limits: Limits): LineForm {
  checkObject('options', options);
  const { maxBytes = limits.lineMaxBytes, encoding = 'utf8', signal } = options;
  checkLineStyle(style);
  checkEncoding(encoding);
  checkLimit('maxBytes', maxBytes, 1);
  checkSignal(signal);
  return { style, maxBytes, encoding, signal };
}

/** The most that `read()` without a count, and a step of `for await`, answer at once. */
const MAX_CHUNK_BYTES = 64 * 1024;

/** A promise of bytes, settled as soon as the input holds what it asks for. */
export abstract class Pull<Value> {
  readonly #deferred: Deferred<Value> = withResolvers();
  #stopListening: (() => void) | null = null;

  get promise(): Promise<Value> {
    return this.#deferred.promise;
  }

  /** How many bytes the input must be allowed to hold for this pull to be served. */
  abstract get need(): number;

  /** Takes what it asked for, at least a byte, out of `input` and settles, if it can. `ended`: nothing more will come. */
  abstract serve(input: Evbuffer, ended: boolean): boolean;

  /** Bytes were taken from the front of the input by somebody else: what was looked at before has moved. */
  rewind(): void {}

  onAbort(signal: AbortSignal, abort: () => void): void {
    this.#stopListening = listenForAbort(signal, abort);
  }

  resolve(value: Value): true {
    this.#stopListening?.();
    this.#deferred.resolve(value);
    return true;
  }

  /**
   * Settles with what stands in the first `count` bytes, then drains them. A watcher of the user's that pulls meanwhile comes after this
   * pull; one that throws surfaces by itself, and takes no bytes with it.
   */
  protected take(input: Evbuffer, count: number, value: Value): true {
    this.resolve(value);
    try {
      input.drain(count);
    } catch (error) {
      surface(error);
    }
    return true;
  }

  reject(reason: unknown): true {
    this.#stopListening?.();
    this.#deferred.reject(reason);
    return true;
  }
}

/** Whatever is there; `null` at the end. */
export class ChunkPull extends Pull<Uint8Array | null> {
  get need(): number {
    return 1;
  }

  serve(input: Evbuffer, ended: boolean): boolean {
    const count = Math.min(input.length, MAX_CHUNK_BYTES);
    if (count > 0) return this.take(input, count, firstBytes(input, count));
    return ended && this.resolve(null);
  }
}

/** Exactly so many bytes; `null` when the end comes before the first of them. */
export class ExactPull extends Pull<Uint8Array | null> {
  readonly #count: number;

  constructor(count: number) {
    super();
    this.#count = count;
  }

  get need(): number {
    return this.#count;
  }

  serve(input: Evbuffer, ended: boolean): boolean {
    if (input.length >= this.#count) return this.take(input, this.#count, firstBytes(input, this.#count));
    if (!ended) return false;
    if (input.length === 0) return this.resolve(null);
    return this.reject(unexpectedEnd(`${input.length} of ${this.#count} bytes`));
  }
}

/** One line without its terminator, as text; `null` when the end comes before its first byte. */
export class LinePull<Value> extends Pull<Value> {
  readonly #form: LineForm;
  readonly #toValue: (line: string | null) => Value;
  /** Where the search goes on: no line end starts before this position. */
  #searched = 0;

  /** @param toValue what the caller wants for a line, or for the end */
  constructor(form: LineForm, toValue: (line: string | null) => Value) {
    super();
    this.#form = form;
    this.#toValue = toValue;
  }

  /** One byte more than the longest line and its terminator, so that too long a line is seen to be one. */
  get need(): number {
    return this.#form.maxBytes + 3;
  }

  override rewind(): void {
    this.#searched = 0;
  }

  serve(input: Evbuffer, ended: boolean): boolean {
    const { style, maxBytes, encoding } = this.#form;
    const eol = input.indexOfEol(style, this.#searched);
    this.#searched = Math.max(0, input.length - 1);
    if (isTooLong(input, eol, maxBytes)) return this.reject(lineTooLong(maxBytes));
    if (eol !== null) {
      return this.take(input, eol.index + eol.length, this.#toValue(input.toString(encoding, 0, eol.index)));
    }
    if (!ended) return false;
    if (input.length === 0) return this.resolve(this.#toValue(null));
    return this.reject(unexpectedEnd(`${input.length} bytes without a line end`));
  }
}

/** Whether the first line of `input`, which ends at `eol` or not yet, has more than `maxBytes` without its terminator. */
export function isTooLong(input: Evbuffer, eol: EolMatch | null, maxBytes: number): boolean {
  // A CR at the end may be the first half of a terminator.
  return eol === null ? input.length > maxBytes + 1 : eol.index > maxBytes;
}

export function lineTooLong(maxBytes: number): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_LINE_LIMIT', `no line end within ${maxBytes} bytes`);
}

function firstBytes(input: Evbuffer, count: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(count);
  input.copyOut(bytes);
  return bytes;
}

export function unexpectedEnd(got: string): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_UNEXPECTED_END', `the stream ended after ${got}`);
}

/** Who is told that a pull has given up. */
export interface PullHost {
  abandoned(): void;
}

/** The pulls that wait, first come first served. */
export class PullQueue {
  readonly #waiting: Pull<unknown>[] = [];

  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** What the first in line needs the input to be able to hold; 0 when nobody waits. */
  get need(): number {
    return this.#waiting[0]?.need ?? 0;
  }

  push(pull: Pull<unknown>, signal: AbortSignal | undefined, host: PullHost): void {
    if (signal !== undefined) {
      pull.onAbort(signal, () => {
        const index = this.#waiting.indexOf(pull);
        if (index >= 0) this.#waiting.splice(index, 1);
        pull.reject(signal.reason);
        host.abandoned();
      });
    }
    this.#waiting.push(pull);
  }

  /**
   * Settles from the front of the line as many as `input` can. Who is served has left the line: taking bytes runs the
   * user's watchers, which may pull again. One whose bytes can't be had, for instance of memory that was detached, is
   * rejected with that, and the bytes stay.
   */
  serve(input: Evbuffer, ended: boolean): void {
    if (!this.waiting || (input.length === 0 && !ended)) return;
    for (let pull = this.#waiting.shift(); pull !== undefined; pull = this.#waiting.shift()) {
      try {
        if (pull.serve(input, ended)) continue;
      } catch (error) {
        pull.reject(error);
        continue;
      }
      this.#waiting.unshift(pull);
      return;
    }
  }

  /** See {@link Pull.rewind}. */
  rewind(): void {
    this.#waiting[0]?.rewind();
  }

  rejectAll(reason: unknown): void {
    if (!this.waiting) return;
    for (const pull of this.#waiting.splice(0)) pull.reject(reason);
  }
}

/** Of most connections nobody waits: they share this until somebody does, and never add to it. */
export const noPulls: PullQueue = new PullQueue();
