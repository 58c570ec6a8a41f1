import type { Transform } from 'node:stream';
import type { Zlib } from 'node:zlib';
import type { Evbuffer } from 'evbuffer';
import { BuffereventError } from '../errors.js';
import type { FlushMode, LayerHost, LayerResult } from '../layer.js';

/** What is given to zlib at once. */
const CHUNK_BYTES: number = 16 * 1024;

/** Results from this size on are not copied; smaller ones would keep a block of 16 KiB of zlib's alive. */
const REFERENCED_BYTES: number = 8 * 1024;

/**
 * One direction of a layer through a stream of `node:zlib`, which works in other threads: at most one chunk is on its
 * way there, and nothing is given to it while results wait that nobody has room for.
 *
 *      source ── a chunk ──► [ zlib ] ── results ──► target
 */
export class ZlibStream {
  readonly #stream: Transform & Zlib;
  /** The operation after which zlib has given out all it got. */
  readonly #flushOperation: number;
  readonly #autoFlush: boolean;
  #host: LayerHost | null = null;
  /** A chunk, a flush or the end is on its way. */
  #busy = false;
  /** Something was given in since the last flush. */
  #unflushed = false;
  #ending = false;
  #failure: Error | null = null;

  constructor(stream: Transform & Zlib, flushOperation: number, autoFlush: boolean) {
    this.#stream = stream;
    this.#flushOperation = flushOperation;
    this.#autoFlush = autoFlush;
  }

  attach(host: LayerHost): void {
    this.#host = host;
    this.#stream
      .on('readable', () => host.wake())
      .on('end', () => {
        // It ends by itself when bytes come after the end of what was compressed.
        if (!this.#ending) this.#failure ??= afterTheEnd();
        this.#done();
      })
      .on('error', (error) => {
        this.#failure ??= error;
        this.#done();
      });
  }

  /**
   * Takes results, then gives a chunk in, or flushes or ends what was given in.
   *
   * @throws the failure of zlib; `ERR_BUFFEREVENT_WRITE_AFTER_END`, `ERR_BUFFEREVENT_MALFORMED_INPUT` for bytes after an
   *   end of ours, or the peer's
   */
  move(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    const before = target.length;
    this.#takeResults(target, limit);
    if (this.#failure !== null) throw this.#failure;
    if (this.#stream.readableLength > 0) return 'ok';
    if (!this.#busy) this.#giveIn(source, mode);
    if (this.#busy) return 'pending';
    return target.length > before ? 'ok' : 'need-more';
  }

  /** Lets go of zlib's memory, once it is through with what it works on. */
  free(): void {
    this.#stream.destroy();
  }

  #takeResults(target: Evbuffer, limit: number): void {
    const stream = this.#stream;
    for (let room = limit; room > 0; ) {
      const chunk: Buffer | null = stream.readableLength > room ? stream.read(room) : stream.read();
      if (chunk === null) return;
      room -= chunk.length;
      if (chunk.length < REFERENCED_BYTES) target.add(chunk);
      else target.addReference(chunk);
    }
  }

  #giveIn(source: Evbuffer, mode: FlushMode): void {
    if (source.length > 0) {
      if (this.#ending) {
        throw new BuffereventError('ERR_BUFFEREVENT_WRITE_AFTER_END', 'bytes after the end of what was compressed');
      }
      this.#busy = true;
      this.#unflushed = true;
      this.#stream.write(source.remove(Math.min(source.length, CHUNK_BYTES)), this.#done);
    } else if (this.#ending) return;
    else if (mode === 'finished') {
      this.#busy = true;
      this.#ending = true;
      this.#stream.end();
    } else if (this.#unflushed && (mode === 'flush' || this.#autoFlush)) {
      this.#busy = true;
      this.#unflushed = false;
      this.#stream.flush(this.#flushOperation, this.#done);
    }
  }

  readonly #done = (): void => {
    this.#busy = false;
    this.#host?.wake();
  };
}

function afterTheEnd(): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_MALFORMED_INPUT', 'bytes after the end of what was compressed');
}
