import type { Duplex, Readable, Writable } from 'node:stream';
import { argumentTypeError, checkOptionNames, type OptionNames, type Segment } from 'bufferevent-backend';
import type { FileRange, LeaseOwner } from 'evbuffer';
import { checkBoolean, checkObject } from '../arguments.js';
import { Bufferevent } from '../bufferevent.js';
import { EventBase } from '../event-base.js';
import type { BuffereventHandlers, Direction } from '../events.js';
import { FileAhead } from '../file-ahead.js';
import type { FlushMode } from '../layer.js';
import { segmentBytes } from '../segments.js';
import { StreamSink } from './stream-sink.js';
import { StreamSource } from './stream-source.js';

/** One stream for both directions, or one for each. */
export type ByteStream = Duplex | { readonly readable: Readable; readonly writable: Writable };

export interface StreamBuffereventOptions {
  readonly handlers?: BuffereventHandlers;
  /**
   * Copy each chunk when it arrives. Default false: the input refers to the chunks of the stream, which must not use
   * their memory again. No stream of Node does.
   */
  readonly copyChunks?: boolean;
}

const optionNames: OptionNames<StreamBuffereventOptions> = { handlers: true, copyChunks: true };

/** Bytes of one write to the stream. */
const WRITE_BYTES: number = 64 * 1024;
const MAX_SEGMENTS_PER_WRITE = 1024;

/** Chunks of streams are given back by letting go of them. */
const garbageCollector: LeaseOwner = { release() {} };

const segments: Segment[] = [];

/** `closed`: the streams have said their last. */
type State = 'open' | 'closing' | 'closed' | 'gone';

/** A bufferevent over a Node stream: see {@link fromDuplex}. */
export class StreamBufferevent extends Bufferevent {
  readonly #readable: Readable;
  readonly #writable: Writable;
  readonly #source: StreamSource;
  readonly #sink: StreamSink;
  #state: State = 'open';
  #dirty = false;
  /** Reads what is sent next, while it comes from a file. */
  #ahead: FileAhead | null = null;

  /** As {@link fromDuplex}. */
  constructor(base: EventBase, stream: ByteStream, options: StreamBuffereventOptions = {}) {
    super(base);
    checkObject('options', options);
    checkOptionNames('options', options, optionNames);
    checkBoolean('copyChunks', options.copyChunks);
    const { readable, writable } = checkedEnds(stream);
    if (options.handlers !== undefined) this.setHandlers(options.handlers);
    base.enter(this);
    this.#readable = readable;
    this.#writable = writable;
    this.#source = new StreamSource(readable, options.copyChunks ?? false, this.#onSource);
    this.#sink = new StreamSink(writable, this.#onSink);
    this.opened(false);
    this.wake();
  }

  /** @internal */
  protected override get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** @internal */
  protected override get isAlive(): boolean {
    return this.#state === 'open';
  }

  /** @internal */
  override wake(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.base.markDirty(this);
  }

  /** @internal */
  reconcile(): void {
    this.#dirty = false;
    if (!this.isOpen) {
      this.freeWhenTaken();
      return;
    }
    this.pump();
    this.#receive();
    if (!this.isOpen) return;
    const reading = this.#adjustFlow();
    const writing = this.#transmit();
    if (this.isOpen) this.timeouts.follow(reading, writing);
  }

  /**
   * In the event itself, not at the end of the turn: a stream that flows goes on until it is told to rest. Users hear of
   * it in a later turn, also when they are the ones who feed the stream (CB-1).
   */
  readonly #onSource = (): void => {
    this.#checkGone();
    if (!this.isOpen) return;
    this.#receive();
    if (this.isOpen && this.readAllowance() === 0) this.#source.setFlowing(false);
    this.wake();
  };

  readonly #onSink = (): void => {
    this.#checkGone();
    if (!this.isOpen) return;
    const written = this.#sink.takeWritten();
    if (written > 0) {
      this.#ahead?.sent(written);
      this.sent(written);
    }
    this.wake();
  };

  /** What the stream gave, as far as it is wanted; its end and its failure come after its last byte. */
  #receive(): void {
    const source = this.#source;
    for (let max = this.readAllowance(); source.filled && max > 0; max = this.readAllowance()) {
      const { memory, start, end } = source.take(max);
      this.received(memory, start, end, garbageCollector, 0);
    }
    if (source.filled || !this.isOpen) return;
    if (source.failure !== null) {
      if (this.inputSide.failure === null) this.failed('read', source.failure);
    } else if (source.ended && this.readAllowance() > 0) this.receivedEnd();
  }

  /** @returns whether bytes are waited for */
  #adjustFlow(): boolean {
    const allowance = this.readAllowance();
    if (this.#source.setFlowing(allowance > 0) && allowance > 0) this.timeouts.submitted('read');
    return this.isReading(allowance);
  }

  /** @returns whether bytes wait to be taken */
  #transmit(): boolean {
    const sink = this.#sink;
    const max = sink.ready ? this.writeAllowance() : this.sendableBytes();
    if (sink.failure === null && sink.ready) {
      if (max > 0) this.#send(Math.min(max, WRITE_BYTES));
      else if (this.wantsShutdown && !this.writeEnded) {
        sink.end();
        if (sink.ended) this.sentEnd();
      }
    }
    if (sink.failure !== null && this.outputSide.failure === null) this.failed('write', sink.failure);
    return max > 0 && this.outputSide.failure === null;
  }

  /** A stream may keep what it is given for as long as it likes, and the output's memory is used again: hence copies. */
  #send(max: number): void {
    const { sendable } = this;
    const range = sendable.peekFile();
    if (range === null) this.#dropAhead();
    const count =
      range === null ? sendable.peekInto(segments, max, MAX_SEGMENTS_PER_WRITE) : this.#peekFile(range, max);
    if (count === 0) return;
    this.timeouts.submitted('write');
    this.#sink.write(copyOf(segments, count));
  }

  /** Describes what has been read of a file; when that is nothing yet, `#onFileRead` comes back to it. */
  #peekFile(range: FileRange, max: number): number {
    if (this.#ahead?.continues(range) !== true) {
      this.#dropAhead();
      this.#ahead = new FileAhead(range, this.#onFileRead);
    }
    const { failure } = this.#ahead;
    if (failure === null) return this.#ahead.peekInto(segments, max);
    this.#dropAhead();
    this.failed('write', failure);
    return 0;
  }

  readonly #onFileRead = (): void => {
    if (this.isOpen) this.wake();
  };

  #dropAhead(): void {
    this.#ahead?.close();
    this.#ahead = null;
  }

  /** @internal Gives to the stream at once what it would be given at the end of the turn. */
  protected override flushTransport(_direction: Direction, _mode: FlushMode): boolean {
    const { ready } = this.#sink;
    this.reconcile();
    return ready && !this.#sink.ready;
  }

  /** @internal */
  protected override closeTransport(abrupt: boolean): void {
    this.timeouts.rest();
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#dropAhead();
      this.#source.giveUp();
      this.#sink.giveUp();
      destroy(this.#writable, abrupt);
      if (this.#readable !== (this.#writable as unknown)) destroy(this.#readable, abrupt);
      this.#checkGone();
    } else if (this.#state === 'gone') this.#onGone();
  }

  /** Gone in a later turn, as the transport of a socket is: handlers hear first of what came before. */
  #checkGone(): void {
    if (this.#state !== 'closing' || !this.#source.closed || !this.#sink.closed) return;
    this.#state = 'closed';
    this.base.clock.defer(this.#onGone);
  }

  /** Stays a member of the base until freed too: bytes that nobody has taken yet end with the base. */
  readonly #onGone = (): void => {
    this.#state = 'gone';
    if (this.freed) this.base.leave(this);
    this.transportGone();
  };

  /** @internal */
  abandon(): void {
    this.free();
  }
}

function copyOf(list: readonly Segment[], count: number): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(segmentBytes(list, count));
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { memory, start, end } = list[i] as Segment;
    copy.set(memory.subarray(start, end), at);
    at += end - start;
  }
  return copy;
}

function destroy(stream: Readable | Writable, abrupt: boolean): void {
  const { resetAndDestroy } = stream as { resetAndDestroy?: () => void };
  if (abrupt && typeof resetAndDestroy === 'function' && !stream.destroyed) resetAndDestroy.call(stream);
  else stream.destroy();
}

function checkedEnds(stream: ByteStream): { readonly readable: Readable; readonly writable: Writable } {
  checkObject('stream', stream);
  const ends =
    typeof stream.readable === 'object'
      ? (stream as { readable: Readable; writable: Writable })
      : { readable: stream as Duplex, writable: stream as Duplex };
  const { readable, writable } = ends;
  if (typeof readable?.pause !== 'function' || readable.readableObjectMode || readable.readableEncoding != null) {
    throw argumentTypeError('stream', 'a stream of bytes, or a pair { readable, writable }', stream);
  }
  if (typeof writable?.write !== 'function' || writable.writableObjectMode) {
    throw argumentTypeError('stream', 'a stream of bytes, or a pair { readable, writable }', stream);
  }
  return ends;
}

/**
 * A bufferevent over a Node stream, or over a readable and a writable one: handlers and pulls, marks, time-outs and the
 * clean close, over whatever Node has as a stream.
 *
 * The bufferevent owns the stream from then on, with what it has buffered: nobody else reads it, writes to it or
 * listens to its 'data'. It flows while reading is wanted and the input is below its mark; what came too much is kept
 * outside the input, one chunk as a rule. The input refers to the chunks unless `copyChunks`; what is sent is copied,
 * because a stream may keep it. Bytes count as sent when the stream has called back for them; one write of at most
 * 64 KiB is under way, and none while the stream wants a rest.
 *
 * 'end' is `eof`; 'error' is an `error` event with that very error; 'close' without either is one with `ECONNRESET`, and
 * for what is still to be sent with `EPIPE`. `halfClose()` is `stream.end()`, `free()` is `stream.destroy()`. The stream
 * must emit 'close' (`emitClose`, the default). Handlers never run inside an event of the stream (CB-1).
 *
 * @throws TypeError for a stream of objects, or one that decodes its bytes
 */
export function fromDuplex(
  stream: ByteStream,
  base: EventBase = EventBase.default,
  options: StreamBuffereventOptions = {},
): StreamBufferevent {
  return new StreamBufferevent(base, stream, options);
}
