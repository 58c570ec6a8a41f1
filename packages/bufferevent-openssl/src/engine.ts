import type { Evbuffer, EvbufferSegment } from 'evbuffer';
import { type Binding, Result, type SslId, Status } from './binding-contract.js';
import { native, results } from './native.js';
import { handOut, SLAB_BYTES, slabFor, wholeSlabFor } from './slab.js';

/** Plaintext of one record at most (RFC 8446 §5.1). */
export const RECORD_BYTES: number = 16 * 1024;

/** The most that encryption adds to a record: header, explicit IV, MAC, padding (TLS 1.2 with CBC; RFC 5246 §6.2.3). */
const RECORD_OVERHEAD_BYTES = 96;

/** What is encrypted in one call: as many whole records as a slab has room for. */
const RECORDS_PER_CALL: number = Math.floor(SLAB_BYTES / (RECORD_BYTES + RECORD_OVERHEAD_BYTES));

const noBytes = new Uint8Array(0);
/** One list for all calls: read by the addon during the call only. */
const segments: EvbufferSegment[] = [];
const gathered = new Uint8Array(RECORD_BYTES);

/**
 * Moves bytes between buffers and one connection of the addon: what OpenSSL does with them happens in memory of the
 * buffers, and nothing is called back from there. Whatever a call makes for the peer is at the back of `toPeer` when it
 * returns, also when it has failed: then it is an alert.
 *
 *      source (ciphertext) ─► handshake, decrypt ─► target (plaintext)
 *                                   └────────────► toPeer (answers, alerts)
 *      source (plaintext)  ─► encrypt ───────────► toPeer (ciphertext)
 */
export class Engine {
  readonly id: SslId;
  readonly #binding: Binding = native();
  /** Of all calls since {@link takeEvents}. */
  #events = 0;
  /** Decrypted bytes that found no room. */
  #buffered: number;
  /** Bytes for the peer that the last call has made. */
  #output = 0;

  /** @param buffered decrypted bytes that another engine of the same connection has left */
  constructor(id: SslId, buffered = 0) {
    this.id = id;
    this.#buffered = buffered;
  }

  /** Plaintext that waits for the next {@link decrypt}, in bytes. */
  get buffered(): number {
    return this.#buffered;
  }

  /** What has happened since the last call of this: bits of `EngineEvent`. */
  takeEvents(): number {
    const events = this.#events;
    this.#events = 0;
    return events;
  }

  /** Goes on with the handshake as far as the bytes of `source` lead. Drains what was used. */
  handshake(source: Evbuffer, toPeer: Evbuffer): Status {
    for (;;) {
      const { memory, start, end } = firstPiece(source);
      const status = this.#binding.sslHandshake(this.id, memory, start, end);
      const consumed = this.#note();
      this.#takeOutput(toPeer);
      if (consumed > 0) source.drain(consumed);
      if (status !== Status.wantInput || source.length === 0) return status;
    }
  }

  /**
   * Decrypts from the front of `source` into `target` until `limit` bytes were added (`ok`), the source is used up
   * (`wantInput`), the stream is over, or broken. What was added before counts in every case.
   */
  decrypt(source: Evbuffer, target: Evbuffer, limit: number, toPeer: Evbuffer): Status {
    let room = limit;
    if (source.length === 0 && this.#buffered === 0) return Status.wantInput;
    for (;;) {
      const { memory, start, end } = firstPiece(source);
      // Plaintext is never longer than what it comes from.
      const slab = slabFor(Math.min(room, this.#buffered + end - start));
      const from = slab.used;
      const to = from + Math.min(room, slab.room);
      const status = this.#binding.sslRead(this.id, memory, start, end, slab.memory, from, to);
      const produced = results[Result.produced] as number;
      const consumed = this.#note();
      if (produced > 0) {
        handOut(slab, produced, target);
        room -= produced;
      }
      this.#takeOutput(toPeer);
      if (consumed > 0) source.drain(consumed);
      if (status === Status.ok) {
        if (room <= 0) return status;
      } else if (status !== Status.wantInput || source.length === 0) return status;
    }
  }

  /**
   * Encrypts from the front of `source` into `toPeer`: records of 16 KiB, whatever the pieces of the source, and one for
   * the rest unless `wholeRecords`. Without `batch` each piece makes records of its own. Drains what was used; `ok`: all
   * that was meant.
   */
  encrypt(source: Evbuffer, toPeer: Evbuffer, wholeRecords: boolean, batch: boolean): Status {
    for (;;) {
      const { length } = source;
      if (length === 0 || (wholeRecords && length < RECORD_BYTES)) return Status.ok;
      const status = this.#encryptSome(source, toPeer, batch);
      if (status !== Status.ok) return status;
    }
  }

  #encryptSome(source: Evbuffer, toPeer: Evbuffer, batch: boolean): Status {
    let { memory, start, end } = firstPiece(source, batch ? RECORDS_PER_CALL : 1);
    if (batch && end - start >= RECORD_BYTES) {
      end = start + Math.min(Math.floor((end - start) / RECORD_BYTES), RECORDS_PER_CALL) * RECORD_BYTES;
    } else if (batch && source.length > end - start) {
      memory = gathered;
      start = 0;
      end = source.copyOut(gathered);
    } else end = Math.min(end, start + RECORDS_PER_CALL * RECORD_BYTES);
    const bytes = end - start;
    const slab = wholeSlabFor(bytes + Math.ceil(bytes / RECORD_BYTES) * RECORD_OVERHEAD_BYTES);
    const status = this.#binding.sslWrite(this.id, memory, start, end, slab.memory, slab.used, SLAB_BYTES);
    const produced = results[Result.produced] as number;
    const consumed = this.#note();
    if (produced > 0) handOut(slab, produced, toPeer);
    this.#takeOutput(toPeer);
    if (consumed > 0) source.drain(consumed);
    return status;
  }

  /** Says our end: `close_notify`, behind all that was encrypted. */
  shutdown(toPeer: Evbuffer): Status {
    const status = this.#binding.sslShutdown(this.id);
    this.#note();
    this.#takeOutput(toPeer);
    return status;
  }

  /** Begins a renegotiation (TLS 1.2 and below). @returns whether there is one now */
  renegotiate(toPeer: Evbuffer): boolean {
    if (!this.#binding.sslRenegotiate(this.id)) return false;
    const status = this.#binding.sslHandshake(this.id, noBytes, 0, 0);
    this.#note();
    this.#takeOutput(toPeer);
    return status !== Status.failed;
  }

  /**
   * Takes over what the last call has left in the results, before anything else happens: another call, also of another
   * connection, changes them.
   *
   * @returns the bytes of the input that were used
   */
  #note(): number {
    // It would keep what it shows.
    piece.memory = noBytes;
    this.#events |= results[Result.events] as number;
    this.#buffered = results[Result.buffered] as number;
    this.#output = results[Result.output] as number;
    return results[Result.consumed] as number;
  }

  #takeOutput(toPeer: Evbuffer): void {
    while (this.#output > 0) {
      const slab = slabFor(this.#output);
      const taken = this.#binding.sslTakeOutput(this.id, slab.memory, slab.used, SLAB_BYTES);
      this.#output -= taken;
      handOut(slab, taken, toPeer);
    }
  }
}

/**
 * The first bytes of a buffer that lie side by side in one memory, in at most so many pieces of the buffer; none when it is
 * empty. The same object each time.
 */
function firstPiece(source: Evbuffer, most: number = RECORDS_PER_CALL): EvbufferSegment {
  const { length } = source;
  if (length === 0) {
    piece.memory = noBytes;
    piece.start = 0;
    piece.end = 0;
    return piece;
  }
  let count = peek(source, most);
  if (count === 0) {
    // In a file: read from there.
    source.pullup(Math.min(length, RECORD_BYTES));
    count = peek(source, 1);
  }
  const first = segments[0] as EvbufferSegment;
  piece.memory = first.memory;
  piece.start = first.start;
  piece.end = first.end;
  // Records that were made in a row lie so in one slab.
  let joins = true;
  for (let index = 1; index < count; index++) {
    const segment = segments[index] as EvbufferSegment;
    joins &&= segment.memory === piece.memory && segment.start === piece.end;
    if (joins) piece.end = segment.end;
    // What is kept here would keep memory.
    segment.memory = noBytes;
  }
  first.memory = noBytes;
  return piece;
}

/** Describes the first pieces of a buffer in {@link segments}: as many as can be looked at, where the first one can. */
function peek(source: Evbuffer, most: number): number {
  try {
    return source.peekInto(segments, source.length, most);
  } catch (error) {
    for (const segment of segments) segment.memory = noBytes;
    if (most === 1) throw error;
    return peek(source, 1);
  }
}

const piece: EvbufferSegment = { memory: noBytes, start: 0, end: 0 };
