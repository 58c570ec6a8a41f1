import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { argumentRangeError, argumentTypeError, checkInteger } from 'bufferevent-backend';
import { type AlpnProtocols, decodeAlpn, encodeAlpn } from './alpn.js';
import { EngineEvent, Result, SslFlag, type SslId } from './binding-contract.js';
import { certificateNames, toCertificates } from './certificates.js';
import type { ClientHelloInfo } from './context-options.js';
import {
  freedError,
  HOSTNAME_MISMATCH,
  IP_ADDRESS_MISMATCH,
  isAboutName,
  isVerifyFailure,
  OpensslError,
  type OpensslErrorCode,
  type OpensslErrorEntry,
  OpensslVerifyError,
  opensslError,
  unsupportedError,
} from './errors.js';
import { native, nativeError, results } from './native.js';
import { SslContext, verifyMode } from './ssl-context.js';
import type { TlsState } from './tls-layer.js';

export interface SslOptions {
  /** Clients: the host name to ask for (SNI). No numeric address, and no dot at the end: RFC 6066 does not allow them. */
  readonly servername?: string;
  /**
   * Clients: whom the certificate of the server has to name, a host or a numeric address; checked by OpenSSL. Default
   * `servername`. `null`: anybody the context trusts will do, which is hardly ever what is wanted.
   */
  readonly verifyName?: string | null;
  /** Clients: a session to resume, from `onSession` or `session` of an earlier connection to the same server. */
  readonly session?: Uint8Array;
  /** Clients: ask for an OCSP response, see {@link Ssl.ocspResponse}. Default false. */
  readonly requestOcsp?: boolean;
  /** Instead of that of the context. */
  readonly ALPNProtocols?: AlpnProtocols;
  /** The descriptor that an `OpensslBufferevent.socket(base, -1, ssl, …)` is to take. */
  readonly descriptor?: number;
  /** See {@link Ssl.onSession}. */
  readonly onSession?: SessionFunction;
}

/** Gets a session that can be resumed: DER of OpenSSL's `SSL_SESSION`, to be kept as secret as what was sent. */
export type SessionFunction = (session: Uint8Array, ssl: Ssl) => void;

export interface CipherInfo {
  /** OpenSSL's name: `ECDHE-RSA-AES128-GCM-SHA256`, `TLS_AES_128_GCM_SHA256`. */
  readonly name: string;
  /** The name of the RFCs. */
  readonly standardName: string;
  /** The oldest protocol that has it. */
  readonly version: string;
  readonly bits: number;
}

/**
 * `idle`: no handshake has begun. `handshaking`: also again, in a renegotiation. `open`: both ways. `closing`: one side
 * has said its end. `closed`: both have. `freed`.
 */
export type SslState = 'idle' | 'handshaking' | 'open' | 'closing' | 'closed' | 'freed';

/** Entries of the error list that are kept; what comes after them is in the errors that are thrown. */
const MAX_ERRORS = 32;

const noBytes = new Uint8Array(0);

const forgotten = new FinalizationRegistry<SslId>((id) => native().sslFree(id));

/**
 * One TLS connection (`SSL`): what has been negotiated, and who the peer is. What moves the bytes is made of it:
 * `OpensslBufferevent`, `TlsLayer`, `SslBioPair`; whether it is a client or a server is decided there. It can outlive
 * them (`closeOnFree: false`) and be taken on by another with the state `open`.
 *
 * Whatever is not known (yet, or any more after {@link free}) is `null` or empty; nothing that is only asked throws.
 * Certificates, sessions and other bytes are copies, made anew at each access.
 */
export class Ssl implements Disposable {
  /**
   * Gets sessions that can be resumed when the server gives one: with TLS 1.3 some time after the handshake, and
   * several. Runs after the call that has read it, in a microtask; what it throws is uncaught.
   */
  onSession: SessionFunction | null;
  readonly #options: SslOptions;
  /** The context that it was made with, and goes back to. */
  readonly #ownContext: SslContext;
  #context: SslContext;
  /** 0 until it is known whether it is a client or a server, and after `free()`. */
  #id: SslId = 0;
  #isServer: boolean | null = null;
  #freed = false;
  #errors: OpensslErrorEntry[] = [];
  /** By whom it is used now: its bytes are those of one connection. */
  #user: object | null = null;

  /**
   * Throws `TypeError` and `RangeError` for what is malformed. What only OpenSSL can judge (a session) throws when the
   * connection begins.
   */
  constructor(context: SslContext, options: SslOptions = {}) {
    if (!(context instanceof SslContext)) throw argumentTypeError('context', 'an SslContext', context);
    checkSslOptions(options);
    this.#ownContext = context;
    this.#context = context;
    this.#options = { ...options };
    this.onSession = options.onSession ?? null;
  }

  /** The one it was made with, or that `onClientHello` has chosen. */
  get context(): SslContext {
    return this.#context;
  }

  get descriptor(): number | null {
    return this.#options.descriptor ?? null;
  }

  /** Whether it is a server; `null` before it is known. */
  get isServer(): boolean | null {
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

  /** `TLSv1.3` or `TLSv1.2`, … */
  get protocol(): string | null {
    return this.#id === 0 ? null : orNull(native().sslVersion(this.#id));
  }

  get cipher(): CipherInfo | null {
    const cipher = this.#id === 0 ? null : native().sslCipher(this.#id);
    if (cipher === null) return null;
    const [name, standardName, version, bits] = cipher;
    return { name, standardName, version, bits };
  }

  /** The group of the key exchange: `X25519`. */
  get group(): string | null {
    return this.#id === 0 ? null : orNull(native().sslGroup(this.#id));
  }

  /** What both sides have agreed on by ALPN. */
  get alpnProtocol(): string | null {
    return this.#id === 0 ? null : orNull(native().sslAlpn(this.#id));
  }

  /** The host name that was asked for (SNI): by us, or by the client. */
  get servername(): string | null {
    if (this.#id === 0) return this.#options.servername ?? null;
    return orNull(native().sslServername(this.#id));
  }

  /** Of a client: the host or the numeric address that the certificate of the server has to name. */
  get verifyName(): string | null {
    const { servername = null, verifyName = servername } = this.#options;
    return this.#isServer === true ? null : verifyName;
  }

  /** Of the peer. */
  get peerCertificate(): X509Certificate | null {
    return this.peerCertificateChain[0] ?? null;
  }

  /** What the peer has sent, its own certificate first. Of resumed sessions its own only. */
  get peerCertificateChain(): X509Certificate[] {
    return this.#id === 0 ? [] : toCertificates(native().sslPeerCertificates(this.#id));
  }

  /** From the peer's certificate to the trust anchor, as OpenSSL has found its way; empty where it found none. */
  get verifiedChain(): X509Certificate[] {
    return this.#id === 0 ? [] : toCertificates(native().sslVerifiedChain(this.#id));
  }

  /**
   * What is wrong with the certificate of the peer, `null` when nothing is; also `null` when there is none, or when
   * nothing was asked. It has refused the connection already unless `rejectUnauthorized` is false or `verify` was lenient.
   * Of several things the first, but a wrong name only when nothing else is wrong: see {@link verifyErrors}.
   */
  get verifyError(): OpensslVerifyError | null {
    return this.verifyErrors[0] ?? null;
  }

  /**
   * All that is wrong with the certificates of the peer, in the order in which OpenSSL has met it, but names last; empty
   * when nothing is. Where OpenSSL has given the connection up, one; of a resumed session the gravest of when it was made,
   * and a name that is wrong now.
   */
  get verifyErrors(): OpensslVerifyError[] {
    return this.#verifyErrors([]);
  }

  /** What can be resumed now, see {@link SessionFunction}; with TLS 1.3 only once the server has sent a ticket. */
  get session(): Uint8Array | null {
    return this.#id === 0 ? null : native().sslSession(this.#id);
  }

  get isSessionReused(): boolean {
    return this.#id !== 0 && native().sslIsSessionReused(this.#id);
  }

  /** The OCSP response that the server has stapled, DER, which nobody has verified; `null` without one. */
  get ocspResponse(): Uint8Array | null {
    return this.#id === 0 ? null : native().sslOcspResponse(this.#id);
  }

  /** Our Finished message of the last handshake, as for `tls-unique` (RFC 5929; not with TLS 1.3). */
  get finished(): Uint8Array | null {
    return this.#id === 0 ? null : native().sslFinished(this.#id, false);
  }

  /** That of the peer. */
  get peerFinished(): Uint8Array | null {
    return this.#id === 0 ? null : native().sslFinished(this.#id, true);
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
   * same. Throws `ERR_OPENSSL_UNSUPPORTED` for older protocols, `ERR_OPENSSL_STATE` before the handshake is done.
   */
  updateKeys(options: { readonly requestPeer?: boolean } = {}): void {
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
      throw new OpensslError('ERR_OPENSSL_STATE', 'the Ssl is used by another connection');
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
    return { servername: orNull(hello.servername), alpnProtocols: decodeAlpn(hello.alpn) };
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
    for (const session of native().sslTakeSessions(this.#id)) queueMicrotask(() => this.onSession?.(session, this));
  }

  /** @internal Why a call of this connection has failed; also leaves the reasons in {@link errors}. */
  takeFailure(code: OpensslErrorCode, what: string): OpensslError {
    const entries = this.#takeNativeErrors();
    return (isVerifyFailure(entries) ? this.#verifyErrors(entries)[0] : null) ?? opensslError(code, what, entries);
  }

  /** @internal Throws when this connection can't renegotiate at all. */
  checkRenegotiation(): void {
    if (this.protocol === 'TLSv1.3') throw unsupportedError('TLS 1.3 has no renegotiation; use updateKeys()');
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
    if (isServer) checkServes(context);
    else {
      checkNamesPeer(context, this.#options);
      context.prepareClient();
    }
    const id = native().sslNew(context.id, isServer);
    if (id === 0) throw nativeError('ERR_OPENSSL_STATE', 'no Ssl could be made');
    this.#id = id;
    this.#isServer = isServer;
    try {
      this.#configure(id);
    } catch (error) {
      native().sslFree(id);
      this.#id = 0;
      this.#isServer = null;
      throw error;
    }
    forgotten.register(this, id, this);
    return id;
  }

  #configure(id: SslId): void {
    const addon = native();
    const { servername, verifyName = servername, session, requestOcsp, ALPNProtocols } = this.#options;
    if (ALPNProtocols !== undefined) {
      const protocols = encodeAlpn('options.ALPNProtocols', ALPNProtocols);
      this.#check(addon.sslSetAlpn(id, protocols), 'ERR_OPENSSL_SETTING', 'OpenSSL refuses the option ALPNProtocols');
    }
    if (this.#isServer === true) {
      this.#suspendAtHello(id);
      return;
    }
    addon.sslSetVerify(id, verifyMode(this.#context.policy, false));
    if (servername !== undefined) {
      this.#check(
        addon.sslSetServername(id, servername),
        'ERR_OPENSSL_SETTING',
        'OpenSSL refuses the option servername',
      );
    }
    if (verifyName !== undefined && verifyName !== null) {
      this.#check(
        addon.sslSetVerifyName(id, verifyName),
        'ERR_OPENSSL_SETTING',
        'OpenSSL refuses the option verifyName',
      );
    }
    if (requestOcsp === true) {
      this.#check(addon.sslRequestOcsp(id), 'ERR_OPENSSL_SETTING', 'OpenSSL refuses the option requestOcsp');
    }
    if (session !== undefined) {
      this.#check(addon.sslSetSession(id, session), 'ERR_OPENSSL_SESSION', 'the session can not be resumed');
    }
  }

  #check(isDone: boolean, code: OpensslErrorCode, what: string): void {
    if (!isDone) throw this.takeFailure(code, what);
  }

  #suspendAtHello(id: SslId): void {
    if (this.#isServer === true && this.#context.policy.onClientHello !== null) native().sslSuspendAtHello(id);
  }

  #verifyErrors(opensslErrors: readonly OpensslErrorEntry[]): OpensslVerifyError[] {
    if (this.#id === 0) return [];
    const errors = native()
      .sslVerifyErrors(this.#id)
      .map(([code, text, depth]) => new OpensslVerifyError(code, text, depth, { opensslErrors }));
    if (this.#isServer !== false || !this.isSessionReused || errors.some(isAboutName)) return errors;
    // OpenSSL compares names when it verifies a certificate, and a resumed session has none verified: it could have been
    // made for another name.
    const { verifyName } = this;
    const certificate = this.peerCertificate;
    if (verifyName === null || certificate === null || certificateNames(certificate, verifyName)) return errors;
    const mismatch = isIP(verifyName) === 0 ? HOSTNAME_MISMATCH : IP_ADDRESS_MISMATCH;
    errors.push(new OpensslVerifyError(mismatch, native().verifyText(mismatch), 0, { opensslErrors }));
    return errors;
  }

  /** Of calls that move bytes with the connection, of others by themselves. */
  #takeNativeErrors(): OpensslErrorEntry[] {
    if (this.#id === 0) return [];
    const entries = [...native().sslTakeErrors(this.#id), ...native().takeErrors()];
    this.#errors.push(...entries.slice(0, Math.max(0, MAX_ERRORS - this.#errors.length)));
    return entries;
  }
}

function orNull(text: string): string | null {
  return text === '' ? null : text;
}

/** Without one of them no client could agree on anything, and would be told of a missing cipher. */
function checkServes(context: SslContext): void {
  if (context.policy.canServe) return;
  const lacking = 'a server needs a context with a certificate, a pre-shared key, or onClientHello';
  throw new OpensslError('ERR_OPENSSL_CERTIFICATE', lacking);
}

/** A certificate that anybody could have got for a name of his own proves nothing; `verify` may say no more of it. */
function checkNamesPeer({ policy }: SslContext, { servername, verifyName }: SslOptions): void {
  if (servername !== undefined || verifyName !== undefined) return;
  if (!policy.rejectUnauthorized) return;
  throw argumentTypeError('options.verifyName', 'given, or servername: whom the certificate has to name', undefined);
}

function checkSslOptions(options: SslOptions): void {
  if (typeof options !== 'object' || options === null) throw argumentTypeError('options', 'an object', options);
  const { servername, verifyName, session, requestOcsp, ALPNProtocols, descriptor, onSession } = options;
  if (servername !== undefined) checkHostName('options.servername', servername);
  if (verifyName !== undefined && verifyName !== null && (typeof verifyName !== 'string' || isIP(verifyName) === 0)) {
    checkHostName('options.verifyName', verifyName);
  }
  if (session !== undefined && !(session instanceof Uint8Array)) {
    throw argumentTypeError('options.session', 'a Uint8Array', session);
  }
  if (requestOcsp !== undefined && typeof requestOcsp !== 'boolean') {
    throw argumentTypeError('options.requestOcsp', 'a boolean', requestOcsp);
  }
  if (ALPNProtocols !== undefined) encodeAlpn('options.ALPNProtocols', ALPNProtocols);
  if (descriptor !== undefined) checkInteger('options.descriptor', descriptor, 0, 2 ** 31 - 1);
  if (onSession !== undefined && typeof onSession !== 'function') {
    throw argumentTypeError('options.onSession', 'a function', onSession);
  }
}

/** With a dot in front OpenSSL would take the name of any host of that domain. */
function checkHostName(name: string, value: unknown): void {
  if (typeof value !== 'string') throw argumentTypeError(name, 'a host name', value);
  const isName = value.length <= 255 && /^[\x21-\x2d\x2f-\x7e][\x21-\x7e]*$/.test(value) && isIP(value) === 0;
  if (isName) return;
  throw argumentRangeError(
    name,
    'a host name in ASCII, of at most 255 characters, no address, and without a dot in front',
    value,
  );
}
