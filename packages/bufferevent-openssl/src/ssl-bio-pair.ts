import { argumentTypeError, checkInteger, type OptionNames } from 'bufferevent-backend';
import { Evbuffer, isEvbuffer } from 'evbuffer';
import { EngineEvent, Status } from './binding-contract.js';
import { Engine } from './engine.js';
import { OpensslError } from './errors.js';
import { Handshake } from './handshake.js';
import { checkOptions } from './options.js';
import { beginRenegotiation, judgeAgain } from './renegotiation.js';
import type { Ssl } from './ssl.js';
import { checkSsl, checkTlsState, type TlsState, truncatedError } from './tls-layer.js';

export interface SslBioPairOptions {
  /** Free the `Ssl` with the pair (the default), or leave it to its user. */
  readonly closeOnFree?: boolean;
  /**
   * Called when a {@link SslBioPair.handshake} that answered `pending` can go on: what `onClientHello` or `verify` of the
   * context has promised is there.
   */
  readonly onReady?: () => void;
}

const optionNames: OptionNames<SslBioPairOptions> = { closeOnFree: true, onReady: true };

/**
 * TLS for a transport of your own: OpenSSL works against memory, and you move the ciphertext (M11). What the bufferevents
 * do in their layer, by hand:
 *
 *     transport ─► feed() ─► handshake(), read() ─► plaintext
 *     transport ◄─ output ◄─ handshake(), read(), write(), shutdown()
 *
 * 1. Post the first receive. A client calls `handshake()`, which fills `output`.
 * 2. Whatever was received: `feed()` it. Until `handshake()` has answered `done` call that, afterwards `read()`.
 * 3. After every call of this class look at `output`, also after one that has thrown, since it may hold an alert: send
 *    what is there, and drain it.
 * 4. Post the next receive, unless `read()` has answered `closed`.
 *
 * Nothing calls back, except `onReady`, what the context asks of its user, and the watches of `output` and of a `target`: those
 * run when the call has done its work, and may make another. Not for an `Ssl` that a bufferevent uses at the same time:
 * `ERR_OPENSSL_STATE`.
 */
export class SslBioPair implements Disposable {
  readonly ssl: Ssl;
  /** Ciphertext for the peer, in order. Take it from the front: `output.remove()`, `moveTo()`, or `peek()` and `drain()`. */
  readonly output: Evbuffer = new Evbuffer();
  readonly #engine: Engine;
  readonly #handshake: Handshake;
  readonly #closeOnFree: boolean;
  readonly #input: Evbuffer = new Evbuffer();
  /** For {@link output}, when nothing is half done any more: who watches that may call back in, or throw. */
  readonly #made: Evbuffer = new Evbuffer();
  /** Plaintext of the peer that waits for {@link read} to hand it out, for the same reason or because of a renegotiation. */
  readonly #early: Evbuffer = new Evbuffer();
  /** Plaintext that a renegotiation keeps waiting. */
  readonly #unsent: Evbuffer = new Evbuffer();
  #isOpen: boolean;
  #isShut = false;
  /** Our end waits for a renegotiation. */
  #owesEnd = false;
  #freed = false;

  /**
   * @throws TypeError for malformed arguments; OpensslError `ERR_OPENSSL_STATE` for an `Ssl` that does not suit the state or
   *   is in use elsewhere, `ERR_OPENSSL_FREED`
   */
  constructor(ssl: Ssl, state: TlsState, options: SslBioPairOptions = {}) {
    checkSsl(ssl);
    checkTlsState(state);
    checkOptions(options, optionNames);
    const { closeOnFree = true, onReady = nothing } = options;
    if (typeof closeOnFree !== 'boolean') throw argumentTypeError('closeOnFree', 'a boolean', closeOnFree);
    if (typeof onReady !== 'function') throw argumentTypeError('onReady', 'a function', onReady);
    const id = ssl.start(state);
    ssl.claim(this);
    this.ssl = ssl;
    this.#engine = new Engine(id, ssl.pending);
    this.#handshake = new Handshake(ssl, this.#engine, onReady);
    this.#closeOnFree = closeOnFree;
    this.#isOpen = state === 'open';
  }

  /** Whether the handshake is done, and the peer accepted. */
  get isOpen(): boolean {
    return this.#isOpen && !this.ssl.isRefused;
  }

  /** Decrypted bytes that wait for the next {@link read}. */
  get pending(): number {
    return this.#early.length + this.#engine.buffered;
  }

  /**
   * What the transport has received: bytes are copied, those of an `Evbuffer` moved. Does nothing else.
   *
   * @throws TypeError for what is no bytes
   */
  feed(ciphertext: Uint8Array | Evbuffer): void {
    this.#checkUsable();
    if (isEvbuffer(ciphertext)) this.#input.addBuffer(ciphertext);
    else if (ciphertext instanceof Uint8Array) this.#input.add(ciphertext);
    else throw argumentTypeError('ciphertext', 'a Uint8Array or an Evbuffer', ciphertext);
  }

  /**
   * Goes on with the handshake as far as what was fed leads. `need-input`: feed more, then call again. `pending`: `onReady`
   * says when to call again. After `done` it does nothing.
   *
   * @throws OpensslError `ERR_OPENSSL_HANDSHAKE`, `ERR_OPENSSL_VERIFY`, …; it will not get any further
   */
  handshake(): 'done' | 'need-input' | 'pending' {
    this.#checkUsable();
    if (this.#isOpen) return 'done';
    try {
      const result = this.#handshake.step(this.#input, this.#made);
      this.#isOpen = result === 'done';
      return result === 'need-more' ? 'need-input' : result;
    } finally {
      this.#handOver();
    }
  }

  /**
   * Decrypts what was fed to the back of `target`, `limit` bytes at most. `more`: there is more than that, call again when
   * there is room. `need-input`: all was used. `closed`: the peer has said its end.
   *
   * @throws OpensslError `ERR_OPENSSL_PROTOCOL` for what can't be decrypted; what came before it is in `target`.
   *   `ERR_OPENSSL_STATE` before the handshake is done, `ERR_OPENSSL_VERIFY` for a peer that is somebody else after a
   *   renegotiation, as does every call from then on: nothing that came with it is in `target`. What a `target` refuses to
   *   take (`ERR_EVBUFFER_FROZEN_BACK`) waits for the next call
   */
  read(target: Evbuffer, limit: number = Infinity): 'more' | 'need-input' | 'closed' {
    this.#checkOpen();
    if (!isEvbuffer(target)) throw argumentTypeError('target', 'an Evbuffer', target);
    if (limit !== Infinity) checkInteger('limit', limit, 1, Number.MAX_SAFE_INTEGER);
    try {
      return this.#decrypt(limit);
    } finally {
      try {
        this.#early.moveTo(target, limit);
      } finally {
        this.#handOver();
      }
    }
  }

  #decrypt(limit: number): 'more' | 'need-input' | 'closed' {
    const before = this.#early.length;
    if (before >= limit) return 'more';
    const status = this.#engine.decrypt(this.#input, this.#early, limit - before, this.#made);
    const events = this.#engine.takeEvents();
    this.ssl.happened(events);
    if ((events & EngineEvent.handshakeDone) !== 0) this.#judge(before);
    if (status === Status.failed) {
      throw this.ssl.takeFailure('ERR_OPENSSL_PROTOCOL', 'what the peer has sent could not be decrypted');
    }
    if (this.#unsent.length > 0) this.#encrypt();
    if (this.#owesEnd) this.#sayEnd();
    if (status === Status.closed) return 'closed';
    return status === Status.ok ? 'more' : 'need-input';
  }

  /**
   * Encrypts to `output`, in records of 16 KiB and one for the rest: bytes and text at once, those of an `Evbuffer` too, which
   * is empty afterwards. The exception is a renegotiation, when they may wait, copied or moved, for a later `read()`.
   *
   * @throws TypeError for what is neither bytes nor text; OpensslError `ERR_OPENSSL_STATE` before the handshake is done or
   *   after {@link shutdown}, `ERR_OPENSSL_PROTOCOL`
   */
  write(plaintext: string | Uint8Array | Evbuffer): void {
    this.#checkOpen();
    if (this.#isShut) throw new OpensslError('ERR_OPENSSL_STATE', 'write after shutdown()');
    if (isEvbuffer(plaintext)) this.#unsent.addBuffer(plaintext);
    else if (typeof plaintext === 'string') this.#unsent.add(plaintext);
    else if (plaintext instanceof Uint8Array) this.#unsent.add(plaintext);
    else throw argumentTypeError('plaintext', 'a string, a Uint8Array or an Evbuffer', plaintext);
    try {
      this.#encrypt();
    } finally {
      this.#handOver();
    }
  }

  /**
   * Says our end: `close_notify` at the back of `output`, or of that of a later `read()`, behind a renegotiation. Reading goes
   * on until the peer's. Idempotent.
   *
   * @throws OpensslError `ERR_OPENSSL_STATE` before the handshake is done, `ERR_OPENSSL_PROTOCOL` after a failure
   */
  shutdown(): void {
    this.#checkOpen();
    if (this.#isShut) return;
    this.#isShut = true;
    try {
      this.#sayEnd();
    } finally {
      this.#handOver();
    }
  }

  #sayEnd(): void {
    this.#owesEnd = this.#unsent.length > 0 || this.ssl.isRenegotiating;
    if (this.#owesEnd || this.#engine.shutdown(this.#made) !== Status.failed) return;
    throw this.ssl.takeFailure('ERR_OPENSSL_PROTOCOL', 'our end could not be said');
  }

  /**
   * Asks the peer for a new handshake (TLS 1.2 and below), which {@link read} goes on with. Limits of the context on what
   * the peer may ask for are not looked at here: it may, or it may not.
   *
   * @throws OpensslError `ERR_OPENSSL_UNSUPPORTED` with TLS 1.3, which has `ssl.updateKeys()` instead; `ERR_OPENSSL_STATE`
   *   before the handshake is done and once either side has said its end, `ERR_OPENSSL_RENEGOTIATION` when OpenSSL refuses
   */
  renegotiate(): void {
    this.#checkOpen();
    try {
      beginRenegotiation(this.ssl, this.#engine, this.#made, this.#early);
    } finally {
      this.#handOver();
    }
  }

  /**
   * The transport has ended: throws `ERR_OPENSSL_TRUNCATED` unless the peer has said its end, `ERR_OPENSSL_HANDSHAKE`
   * inside the handshake. For what was fed and not read yet, call {@link read} first.
   */
  transportEnded(): void {
    this.#checkUsable();
    if (!this.#isOpen) throw new OpensslError('ERR_OPENSSL_HANDSHAKE', 'the transport has ended inside the handshake');
    if (!this.ssl.hasReceivedClose) throw truncatedError();
  }

  /** Lets go of everything. Sends nothing: that is for {@link shutdown}. Idempotent. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#handshake.abandon();
    this.#input.clear();
    this.#early.clear();
    this.#unsent.clear();
    this.#made.clear();
    this.output.clear();
    this.ssl.disclaim(this);
    if (this.#closeOnFree) this.ssl.free();
  }

  [Symbol.dispose](): void {
    this.free();
  }

  /** After a renegotiation. Who was refused has written nothing. */
  #judge(before: number): void {
    try {
      judgeAgain(this.ssl);
    } catch (refusal) {
      const judged = this.#early.take(before);
      this.#early.clear();
      this.#early.addBuffer(judged);
      throw refusal;
    }
  }

  #handOver(): void {
    if (this.#made.length > 0) this.output.addBuffer(this.#made);
  }

  #encrypt(): void {
    const status = this.#engine.encrypt(this.#unsent, this.#made, false, true);
    this.ssl.happened(this.#engine.takeEvents());
    if (status === Status.failed) {
      throw this.ssl.takeFailure('ERR_OPENSSL_PROTOCOL', 'what was written could not be encrypted');
    }
  }

  #checkOpen(): void {
    this.#checkUsable();
    if (!this.#isOpen) throw new OpensslError('ERR_OPENSSL_STATE', 'the handshake is not done');
    if (this.ssl.isRefused) throw this.ssl.takeFailure('ERR_OPENSSL_VERIFY', 'the peer was refused');
  }

  #checkUsable(): void {
    if (this.#freed) throw new OpensslError('ERR_OPENSSL_FREED', 'the pair was freed');
  }
}

function nothing(): void {}
