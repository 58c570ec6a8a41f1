import { argumentTypeError, checkInteger } from 'bufferevent-backend';
import { decodeAlpn } from './alpn.js';
import { EngineEvent, Result, SslFlag, type SslId } from './binding-contract.js';
import type { ClientHelloInfo } from './context-options.js';
import {
  freedError,
  isVerifyFailure,
  OpensslError,
  type OpensslErrorCode,
  type OpensslErrorEntry,
  opensslError,
  unsupportedError,
} from './errors.js';
import { native, nativeError, results } from './native.js';
import { Negotiated } from './negotiated.js';
import { SslContext } from './ssl-context.js';
import {
  applySslOptions,
  checkSide,
  checkSslOptions,
  ownSslOptions,
  type SessionFunction,
  type SslOptions,
} from './ssl-options.js';
import type { TlsState } from './tls-layer.js';

/**
 * `idle`: nothing has used it yet. `handshaking`: from then on until the handshake is done, also before its first byte, and
 * again in a renegotiation and after `reset()` (which makes it `idle` where `onClientHello` had chosen another context).
 * `open`: both ways. `closing`: one side has said its end. `closed`: both have. `freed`.
 */
export type SslState = 'idle' | 'handshaking' | 'open' | 'closing' | 'closed' | 'freed';

/** Entries of the error list that are kept; what comes after them is in the errors that are thrown. */
const MAX_ERRORS = 32;

const noBytes = new Uint8Array(0);

const forgotten = new FinalizationRegistry<SslId>((id) => native().sslFree(id));

/**
 * One TLS connection (`SSL`): what has been negotiated, and who the peer is. What moves the bytes is made of it:
 * `OpensslBufferevent`, `TlsLayer`, `SslBioPair`; whether it is a client or a server is decided there. It can outlive
 * them (`closeOnFree: false`) and be taken on by another with the state `open`: after `await bev.closed`, since a bufferevent
 * has not let go of it when `free()` returns.
 *
 * Whatever is not known (yet, or any more after {@link free}) is `null` or empty; nothing that is only asked throws.
 * Certificates, sessions and other bytes are copies, made anew at each access.
 */
export class Ssl extends Negotiated implements Disposable {
  /** The context that it was made with, and goes back to. */
  readonly #ownContext: SslContext;
  #context: SslContext;
  /** 0 until it is known whether it is a client or a server, and after `free()`. */
  #id: SslId = 0;
  #isServer: boolean | null = null;
  #freed = false;
  #onSession: SessionFunction | null;
  #errors: OpensslErrorEntry[] = [];
  #refusal: OpensslError | null = null;
  /** By whom it is used now: its bytes are those of one connection. */
  #user: object | null = null;

  /**
   * Throws `TypeError` and `RangeError` for what is malformed, `ERR_OPENSSL_FREED` for a freed context. What only OpenSSL can
   * judge (a session) throws when the connection begins.
   */
  constructor(context: SslContext, options: SslOptions = {}) {
    if (!(context instanceof SslContext)) throw argumentTypeError('context', 'an SslContext', context);
    if (context.isFreed) throw freedError('context');
    checkSslOptions(options);
    super(ownSslOptions(options));
    this.#ownContext = context;
    this.#context = context;
    this.#onSession = options.onSession ?? null;
  }

  /**
   * Gets sessions that can be resumed when the server gives one: with TLS 1.3 some time after the handshake, and
   * several. Runs after the call that has read it, in a microtask; what it throws is uncaught. Setting it throws `TypeError`
   * for what is neither a function nor `null`.
   */
  get onSession(): SessionFunction | null {
    return this.#onSession;
  }

  set onSession(onSession: SessionFunction | null) {
    if (onSession !== null && typeof onSession !== 'function') {
      throw argumentTypeError('onSession', 'a function or null', onSession);
    }
    this.#onSession = onSession;
  }

  /** The one it was made with, or that `onClientHello` has chosen. */
  get context(): SslContext {
    return this.#context;
  }

  get descriptor(): number | null {
    return this.options.descriptor ?? null;
  }

  /** @internal */
  protected override get id(): SslId {
    return this.#id;
  }

  override get isServer(): boolean | null {
    return this.#isServer;
  }

  get state(): SslState {
    if (this.#freed) return 'freed';
    if (this.#id === 0) return 'idle';
    const flags = native().sslFlags(this.#id);
    const closed = flags & (SslFlag.closeSent | SslFlag.closeReceived);
    if (closed === (SslFlag.closeSent | SslFlag.closeReceived)) return 'closed';
    if (closed !== 0) return 'closing';
    const between = flags & (SslFlag.established | SslFlag.renegotiating);
    return between === SslFlag.established ? 'open' : 'handshaking';
  }

  /** Where the handshake is, in OpenSSL's words (`SSL_state_string_long`); for people. */
  get stateText(): string {
    return this.#id === 0 ? '' : native().sslState(this.#id);
  }

  /** Whether our `close_notify` was made: nothing can be written any more. */
  get hasSentClose(): boolean {
    return this.#hasFlag(SslFlag.closeSent);
  }

  /** Whether the peer's `close_notify` has come: it has said that this is all. */
  get hasReceivedClose(): boolean {
    return this.#hasFlag(SslFlag.closeReceived);
  }

  /** Decrypted bytes that have not been taken out. */
  get pending(): number {
    if (this.#id === 0 || !this.#hasFlag(SslFlag.established)) return 0;
    // Without room nothing is read, only counted.
    native().sslRead(this.#id, noBytes, 0, 0, noBytes, 0, 0);
    return results[Result.buffered] as number;
  }

  /** What OpenSSL has complained of and nobody has taken, oldest first; at most 32 entries (TL-15). */
  get errors(): readonly OpensslErrorEntry[] {
    return [...this.#errors];
  }

  /** Takes the oldest entry out of {@link errors}. @returns its number, as `ERR_get_error()` has it; 0 for none */
  takeError(): number {
    return this.#errors.shift()?.code ?? 0;
  }

  /**
   * Bytes that both sides, and nobody else, can make (RFC 5705, RFC 8446 section 7.5).
   *
   * Throws `TypeError` and `RangeError` for malformed arguments, `ERR_OPENSSL_STATE` before the handshake is done.
   */
  exportKeyingMaterial(length: number, label: string, context?: Uint8Array): Uint8Array {
    checkInteger('length', length, 1, 65_535);
    if (typeof label !== 'string') throw argumentTypeError('label', 'a string', label);
    if (context !== undefined && !(context instanceof Uint8Array)) {
      throw argumentTypeError('context', 'a Uint8Array', context);
    }
    const id = this.#openId();
    const material = native().sslExportKeyingMaterial(id, length, label, context ?? null);
    if (material === null) throw this.takeFailure('ERR_OPENSSL_STATE', 'no keying material can be made');
    return material;
  }

  /**
   * New keys (TLS 1.3) for what is sent, beginning with the next record; with `requestPeer` the peer is asked to do the
   * same. Throws `TypeError` for malformed options, `ERR_OPENSSL_UNSUPPORTED` for older protocols, `ERR_OPENSSL_STATE` before the handshake is done, and
   * after our end was said.
   */
  updateKeys(options: { readonly requestPeer?: boolean } = {}): void {
    if (typeof options !== 'object' || options === null) throw argumentTypeError('options', 'an object', options);
    const { requestPeer = false } = options;
    if (typeof requestPeer !== 'boolean') throw argumentTypeError('requestPeer', 'a boolean', requestPeer);
    const id = this.#openId();
    if (this.protocol !== 'TLSv1.3') throw unsupportedError(`${this.protocol} has no key update; it can renegotiate`);
    if (!native().sslUpdateKeys(id, requestPeer)) throw this.takeFailure('ERR_OPENSSL_STATE', 'no key update now');
  }

  /**
   * As new, for another connection: nothing of the last one is left but the options, whether it is a client or a server,
   * and errors that nobody has taken. Its context is the one that it was made with, whatever `onClientHello` has chosen.
   * Throws `ERR_OPENSSL_FREED`, `ERR_OPENSSL_STATE` while a connection uses it. After another context was chosen, the next
   * connection throws `ERR_OPENSSL_FREED` when its own was freed meanwhile.
   */
  reset(): void {
    const id = this.#aliveId();
    if (this.#user !== null) throw new OpensslError('ERR_OPENSSL_STATE', 'the Ssl is used by a connection');
    if (id === 0) return;
    this.#refusal = null;
    if (this.#context !== this.#ownContext) {
      // Made anew with its own by the next start().
      this.#context = this.#ownContext;
      this.#letGo();
    } else if (!native().sslReset(id)) throw this.takeFailure('ERR_OPENSSL_STATE', 'the Ssl could not be reset');
  }

  /** Gives its memory back; nothing can be done with it any more. No `close_notify` is sent: that is for `end()` (TL-10). */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    if (this.#id !== 0) this.#letGo();
  }

  #letGo(): void {
    forgotten.unregister(this);
    this.#takeNativeErrors();
    native().sslFree(this.#id);
    this.#id = 0;
  }

  [Symbol.dispose](): void {
    this.free();
  }

  /**
   * @internal Decides what it is, or checks that it suits; to be called by who moves its bytes, who then calls
   * {@link happened} and {@link takeFailure} for what comes of it.
   *
   * @throws OpensslError `ERR_OPENSSL_STATE` for an `Ssl` of the other kind, or that is not, or no more, at that point
   */
  start(state: TlsState): SslId {
    const id = this.#aliveId();
    const isOpen = this.#hasFlag(SslFlag.established);
    if (state === 'open') {
      if (!isOpen) throw new OpensslError('ERR_OPENSSL_STATE', "state 'open': the handshake of the Ssl is not done");
      return id;
    }
    const isServer = state === 'accepting';
    if (this.#isServer !== null && this.#isServer !== isServer) {
      const kind = isServer ? 'client' : 'server';
      throw new OpensslError('ERR_OPENSSL_STATE', `state '${state}': the Ssl was a ${kind} before`);
    }
    if (isOpen)
      throw new OpensslError('ERR_OPENSSL_STATE', `state '${state}': the handshake of the Ssl is done already`);
    return id === 0 ? this.#begin(isServer) : id;
  }

  /** @internal Throws `ERR_OPENSSL_STATE` when something else uses it. */
  claim(user: object): void {
    if (this.#user !== null && this.#user !== user) {
      throw new OpensslError(
        'ERR_OPENSSL_STATE',
        'the Ssl is used by another connection, or one that was freed has not let go of it yet: await its `closed`',
      );
    }
    this.#user = user;
  }

  /** @internal */
  disclaim(user: object): void {
    if (this.#user === user) this.#user = null;
  }

  /** @internal Whether the handshake was done before and another one is under way, in which nothing can be written or ended. */
  get isRenegotiating(): boolean {
    return this.#hasFlag(SslFlag.renegotiating);
  }

  /** @internal What the client has said, when the handshake is suspended at it, and later. */
  clientHello(): ClientHelloInfo | null {
    const hello = this.#id === 0 ? null : native().sslClientHello(this.#id);
    if (hello === null) return null;
    return { servername: hello.servername === '' ? null : hello.servername, alpnProtocols: decodeAlpn(hello.alpn) };
  }

  /** @internal Suspended at the ClientHello: everything is that of `context` from now on. */
  useContext(context: SslContext): void {
    if (!(context instanceof SslContext)) throw argumentTypeError('context', 'an SslContext', context);
    if (!native().sslSetContext(this.#aliveId(), context.id)) {
      throw this.takeFailure('ERR_OPENSSL_STATE', 'the context of the connection could not be changed');
    }
    this.#context = context;
  }

  /** @internal Tells users what {@link EngineEvent} bits are about; in a microtask, since they may free anything. */
  happened(events: number): void {
    if (this.#id === 0) return;
    if ((events & EngineEvent.keyLog) !== 0) {
      const lines = native().sslTakeKeyLog(this.#id);
      const { keyLog } = this.#context.policy;
      if (keyLog !== null) for (const line of lines) queueMicrotask(() => keyLog(line, this));
    }
    if ((events & EngineEvent.session) === 0) return;
    for (const session of native().sslTakeSessions(this.#id)) queueMicrotask(() => this.#onSession?.(session, this));
  }

  /**
   * @internal The peer is not who it should be, or does what it must not: nothing more is read from it or made for it, by
   * whoever uses the connection. @returns the refusal, of which all that fails from now on tells
   */
  refuse(refusal: OpensslError): OpensslError {
    this.#refusal ??= refusal;
    if (this.#id !== 0) native().sslRefuse(this.#id);
    return refusal;
  }

  /** @internal */
  get isRefused(): boolean {
    return this.#refusal !== null;
  }

  /** @internal Why a call of this connection has failed; also leaves the reasons in {@link errors}. */
  takeFailure(code: OpensslErrorCode, what: string): OpensslError {
    if (this.#refusal !== null) return this.#refusal;
    const entries = this.#takeNativeErrors();
    return (isVerifyFailure(entries) ? this.verifyErrorsOf(entries)[0] : null) ?? opensslError(code, what, entries);
  }

  /** @internal Throws when this connection can't renegotiate at all, or no more. */
  checkRenegotiation(): void {
    if (this.protocol === 'TLSv1.3') throw unsupportedError('TLS 1.3 has no renegotiation; use updateKeys()');
    // One side would wait for ever for what the other will not say, or not hear.
    if (this.hasSentClose || this.hasReceivedClose) {
      throw new OpensslError('ERR_OPENSSL_STATE', 'one side has said its end: there is no renegotiation any more');
    }
  }

  #hasFlag(flag: number): boolean {
    return this.#id !== 0 && (native().sslFlags(this.#id) & flag) !== 0;
  }

  /** 0 before it is known what it is. */
  #aliveId(): SslId {
    if (this.#freed) throw freedError('Ssl');
    return this.#id;
  }

  #openId(): SslId {
    const id = this.#aliveId();
    if (!this.#hasFlag(SslFlag.established)) throw new OpensslError('ERR_OPENSSL_STATE', 'the handshake is not done');
    return id;
  }

  #begin(isServer: boolean): SslId {
    const context = this.#context;
    checkSide(isServer, context, this.options);
    if (!isServer) context.prepareClient();
    const id = native().sslNew(context.id, isServer);
    if (id === 0) throw nativeError('ERR_OPENSSL_STATE', 'no Ssl could be made');
    this.#id = id;
    this.#isServer = isServer;
    try {
      applySslOptions(id, isServer, context, this.options, (code, what) => this.takeFailure(code, what));
    } catch (error) {
      native().sslFree(id);
      this.#id = 0;
      this.#isServer = null;
      throw error;
    }
    forgotten.register(this, id, this);
    return id;
  }

  /** Of calls that move bytes with the connection, of others by themselves. */
  #takeNativeErrors(): OpensslErrorEntry[] {
    if (this.#id === 0) return [];
    const entries = [...native().sslTakeErrors(this.#id), ...native().takeErrors()];
    this.#errors.push(...entries.slice(0, Math.max(0, MAX_ERRORS - this.#errors.length)));
    return entries;
  }
}
