import { createHash, type Hash, type X509Certificate } from 'node:crypto';
import { argumentTypeError } from 'bufferevent-backend';
import { encodeAlpn } from './alpn.js';
import { type ContextId, VerifyMode } from './binding-contract.js';
import { toCertificates } from './certificates.js';
import { resolveCiphers } from './cipher-list.js';
import {
  type ClientHelloFunction,
  checkContextOptions,
  checkPskOptions,
  loadMaterials,
  type Materials,
  type OneOrMore,
  type PskOptions,
  pskEntries,
  readMaterials,
  type SslContextOptions,
  textBytes,
  versionNumber,
} from './context-options.js';
import { defaultTrust } from './default-trust.js';
import { freedError, type OpensslErrorCode } from './errors.js';
import { type KeyLogFunction, keyLogFile } from './key-log.js';
import { native, nativeError } from './native.js';
import { type NodeContextOptions, translateNodeOptions } from './node-options.js';
import { joinTicketKeys } from './ticket-keys.js';
import type { VerifyFunction } from './verify.js';

/** Counts of sessions and handshakes since the context was made, as OpenSSL keeps them. */
export interface SessionStats {
  /** Handshakes begun as a client, and as a server. */
  readonly connects: number;
  readonly accepts: number;
  /** Sessions that were resumed, those that were asked for and not known, and those that were too old. */
  readonly hits: number;
  readonly misses: number;
  readonly timeouts: number;
  /** Sessions pushed out of a full cache, and those that are in it now. */
  readonly evictions: number;
  readonly cached: number;
  readonly clientRenegotiations: number;
  readonly serverRenegotiations: number;
}

/** @internal What of a context is not OpenSSL's business. */
export interface ContextPolicy {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly verify: VerifyFunction | null;
  readonly onClientHello: ClientHelloFunction | null;
  /** Renegotiations that a peer may ask for in a minute; 0 when they are refused. */
  readonly renegotiationsPerMinute: number;
  readonly keyLog: KeyLogFunction | null;
}

const forgotten = new FinalizationRegistry<ContextId>((id) => native().contextFree(id));

/**
 * What connections of a kind have in common (`SSL_CTX`): who we are, whom we trust, what is spoken. Made once, used for
 * any number of connections, as a client, as a server, or both. What it was made with can't be changed, except by the
 * `set…` methods; to change certificates give listeners another context, connections that there are keep theirs.
 *
 * Keys and certificates are copied into OpenSSL's memory. `free()` gives that back, or the garbage collector does some
 * time later; connections made of it live on.
 */
export class SslContext implements Disposable {
  /** @internal */
  readonly policy: ContextPolicy;
  #id: ContextId;
  /** Servers have a certificate, or leave who they are to another context. */
  readonly #servesWithoutPsk: boolean;
  #servesByPsk: boolean;
  /** Decides, with the pre-shared keys, which sessions are resumed. */
  readonly #sessionScope: Uint8Array;
  /** Clients trust whom Node trusts by default, and have not been told of them yet. */
  #needsDefaultTrust: boolean;

  /**
   * Reads the files that the options name while everything else in this thread waits; {@link load} does not.
   *
   * Throws `TypeError` and `RangeError` for options that are unknown, wrong, or don't go together; an `OpensslError` for
   * what OpenSSL refuses: `ERR_OPENSSL_KEY`, `ERR_OPENSSL_CERTIFICATE`, `ERR_OPENSSL_SETTING`; `ERR_OPENSSL_UNAVAILABLE`
   * where there is no OpenSSL; and what the system says about files.
   *
   * @param materials internal: the files, already read
   */
  constructor(options: SslContextOptions = {}, materials?: Materials) {
    checkContextOptions(options);
    const read = materials ?? readMaterials(options);
    const { onClientHello = null, renegotiation = 'refuse' } = options;
    this.policy = Object.freeze({
      requestCert: options.requestCert ?? false,
      rejectUnauthorized: options.rejectUnauthorized ?? true,
      verify: options.verify ?? null,
      onClientHello,
      renegotiationsPerMinute: renegotiation === 'refuse' ? 0 : renegotiation.perMinute,
      keyLog: chooseKeyLog(options),
    });
    this.#servesWithoutPsk = read.certificates.length + read.pfxs.length > 0 || onClientHello !== null;
    this.#servesByPsk = isForServers(options.psk);
    this.#needsDefaultTrust = options.ca === undefined && options.caFile === undefined;
    const { minVersion, maxVersion } = resolveCiphers(options);
    this.#id = native().contextNew(minVersion, maxVersion);
    if (this.#id === 0) throw nativeError('ERR_OPENSSL_SETTING', 'no context could be made');
    try {
      configure(this.#id, options, read, this.policy);
      this.#sessionScope = sessionScopeOf(this.#id, options, read, this.policy);
      setSessionIdContext(this.#id, this.#sessionScope, options.psk);
    } catch (error) {
      native().contextFree(this.#id);
      throw error;
    }
    forgotten.register(this, this.#id, this);
  }

  /** As the constructor, which it calls, but reads files without making anybody wait. Rejects with what that throws. */
  static async load(options: SslContextOptions = {}): Promise<SslContext> {
    checkContextOptions(options);
    return new SslContext(options, await loadMaterials(options));
  }

  /**
   * A context of the options of `tls.createSecureContext()`, and of those of `tls.connect()` and `tls.createServer()`
   * that belong to one (`requestCert`, `rejectUnauthorized`, `ALPNProtocols`, `sessionTimeout`, `ticketKeys`,
   * `checkServerIdentity`, …). What can't be had here throws `ERR_OPENSSL_UNSUPPORTED` and is never ignored. Where Node
   * is laxer, it stays as strict as others: a server that requests certificates has to say whom it trusts, and
   * `securityLevel` is 2. Versions and ciphers are by default what the process holds Node's own contexts to
   * (`--tls-min-v1.3`, `--tls-cipher-list`, `tls.DEFAULT_MIN_VERSION`, …), which other contexts do not look at.
   */
  static fromNodeOptions(options: NodeContextOptions = {}): SslContext {
    return new SslContext(translateNodeOptions(options));
  }

  /** @internal Whether a server of it can say who it is, or leaves that to another context. */
  get canServe(): boolean {
    return this.#servesWithoutPsk || this.#servesByPsk;
  }

  /** @internal Throws `ERR_OPENSSL_FREED` after {@link free}. */
  get id(): ContextId {
    if (this.#id === 0) throw freedError('context');
    return this.#id;
  }

  get isFreed(): boolean {
    return this.#id === 0;
  }

  /** Its certificates, that is ours, each with its chain, leaf first. New objects each time. */
  get certificates(): X509Certificate[] {
    return toCertificates(native().contextCertificates(this.id));
  }

  sessionStats(): SessionStats {
    const counts = native().contextSessionStats(this.id);
    const at = (index: number): number => counts[index] as number;
    return {
      connects: at(0),
      accepts: at(1),
      hits: at(2),
      misses: at(3),
      timeouts: at(4),
      evictions: at(5),
      cached: at(6),
      clientRenegotiations: at(7),
      serverRenegotiations: at(8),
    };
  }

  /** Forgets the sessions that a server has kept. Tickets stay good: see {@link setTicketKeys}. */
  flushSessions(): void {
    native().contextFlushSessions(this.id);
  }

  /**
   * Replaces the keys for tickets, of handshakes from now on: the first makes tickets, all open them, and who comes with
   * one of another than the first gets a new one. The bytes are copied. An empty list: keys of the context's own.
   */
  setTicketKeys(keys: OneOrMore<Uint8Array>): void {
    const joined = joinTicketKeys('keys', keys);
    if (!native().contextSetTicketKeys(this.id, joined)) throw refused('the keys for tickets');
  }

  /** Replaces the OCSP response (DER, copied) that is stapled in handshakes from now on; `null`: none. */
  setOcspResponse(response: Uint8Array | null): void {
    if (response !== null && !(response instanceof Uint8Array)) {
      throw argumentTypeError('response', 'a Uint8Array or null', response);
    }
    if (!native().contextSetOcspResponse(this.id, response ?? new Uint8Array(0))) throw refused('the OCSP response');
  }

  /**
   * Replaces the pre-shared keys (copied) for handshakes from now on, those of clients and those of servers. With TLS 1.2
   * they need ciphers that a context has only when it was made with `psk`. A server resumes no session from before: whose key
   * was taken away is not let in by one.
   *
   * Throws `TypeError` and `RangeError` for malformed keys, `ERR_OPENSSL_SETTING` when OpenSSL refuses them: the old ones
   * stay then.
   */
  setPsk(psk: PskOptions): void {
    checkPskOptions(psk);
    setPsk(this.id, psk);
    setSessionIdContext(this.id, this.#sessionScope, psk);
    this.#servesByPsk = isForServers(psk);
  }

  /** @internal Before the first connection as a client: whom clients trust when nobody has said. Servers never do. */
  prepareClient(): void {
    if (!this.#needsDefaultTrust) return;
    const isTrusted = native().contextTrustAsClient(this.id, trustHolder());
    check(isTrusted, 'ERR_OPENSSL_CERTIFICATE', 'the default trust anchors could not be used');
    this.#needsDefaultTrust = false;
  }

  /** Gives its memory back when the last connection made of it is freed. Nothing new can be made of it. */
  free(): void {
    if (this.#id === 0) return;
    forgotten.unregister(this);
    native().contextFree(this.#id);
    this.#id = 0;
  }

  [Symbol.dispose](): void {
    this.free();
  }
}

/** A context of this thread that is never used but for its trust anchors: reading them takes long, and a megabyte. */
let holder: ContextId = 0;
let held: Uint8Array | null = null;

function trustHolder(): ContextId {
  const trust = defaultTrust();
  if (held === trust) return holder;
  const made = native().contextNew(versionNumber('TLSv1.2'), versionNumber('TLSv1.3'));
  if (made === 0) throw nativeError('ERR_OPENSSL_SETTING', 'no context could be made');
  try {
    const isAdded = native().contextAddCa(made, trust, false);
    check(isAdded, 'ERR_OPENSSL_CERTIFICATE', 'the default trust anchors could not be read');
  } catch (error) {
    native().contextFree(made);
    throw error;
  }
  // Who has its anchors keeps them.
  if (holder !== 0) native().contextFree(holder);
  holder = made;
  held = trust;
  return made;
}

function chooseKeyLog({ keyLog, keyLogFromEnvironment }: SslContextOptions): KeyLogFunction | null {
  if (typeof keyLog === 'function') return keyLog;
  if (keyLog !== undefined) return keyLogFile(keyLog);
  const path = keyLogFromEnvironment === true ? process.env['SSLKEYLOGFILE'] : undefined;
  return path === undefined || path === '' ? null : keyLogFile(path);
}

function refused(what: string): Error {
  return nativeError('ERR_OPENSSL_SETTING', `${what} could not be set`);
}

function check(isDone: boolean, code: OpensslErrorCode, what: string): void {
  if (!isDone) throw nativeError(code, what);
}

function configure(id: ContextId, options: SslContextOptions, materials: Materials, policy: ContextPolicy): void {
  setProtocol(id, options);
  setIdentity(id, options, materials);
  setTrust(id, options, materials, policy);
  setSessions(id, options);
  const addon = native();
  addon.contextAllowRenegotiation(id, policy.renegotiationsPerMinute > 0);
  addon.contextSetKeyLog(id, policy.keyLog !== null);
  const { ocspResponse, psk } = options;
  if (ocspResponse !== undefined) {
    check(addon.contextSetOcspResponse(id, ocspResponse), 'ERR_OPENSSL_SETTING', 'the OCSP response could not be set');
  }
  if (psk !== undefined) setPsk(id, psk);
}

function setProtocol(id: ContextId, options: SslContextOptions): void {
  const addon = native();
  const { groups, sigalgs, dhparam, ALPNProtocols } = options;
  const setting = (isDone: boolean, name: string): void =>
    check(isDone, 'ERR_OPENSSL_SETTING', `OpenSSL refuses the option ${name}`);
  // First: lists of ciphers may contain another one.
  addon.contextSetSecurityLevel(id, options.securityLevel ?? 2);
  const { list, suites } = resolveCiphers(options);
  if (list !== '') setting(addon.contextSetCiphers(id, list), 'ciphers');
  if (suites !== '') setting(addon.contextSetSuites(id, suites), 'ciphers');
  if (groups !== undefined) setting(addon.contextSetGroups(id, groups), 'groups');
  if (sigalgs !== undefined) setting(addon.contextSetSignatureAlgorithms(id, sigalgs), 'sigalgs');
  if (dhparam !== undefined) setting(addon.contextSetDhParameters(id, textBytes(dhparam)), 'dhparam');
  if (ALPNProtocols !== undefined) {
    setting(addon.contextSetAlpn(id, encodeAlpn('options.ALPNProtocols', ALPNProtocols)), 'ALPNProtocols');
  }
  addon.contextSetServerPreference(id, options.honorCipherOrder ?? true);
}

/** Certificates before keys: a key finds its certificate by its kind. */
function setIdentity(id: ContextId, options: SslContextOptions, materials: Materials): void {
  const addon = native();
  const { certificates, keys, pfxs } = materials;
  for (const certificate of certificates) {
    const isUsed = addon.contextUseCertificate(id, certificate);
    check(isUsed, 'ERR_OPENSSL_CERTIFICATE', 'the certificate (cert) could not be used');
  }
  for (const { bytes, passphrase } of keys) {
    const isUsed = addon.contextUseKey(id, bytes, passphrase);
    check(isUsed, 'ERR_OPENSSL_KEY', `the private key (key) could not be used${withPassphrase(passphrase)}`);
  }
  for (const { bytes, passphrase } of pfxs) {
    const isUsed = addon.contextUsePfx(id, bytes, passphrase, options.trustPfx ?? false);
    check(isUsed, 'ERR_OPENSSL_CERTIFICATE', `the PKCS#12 bundle (pfx) could not be used${withPassphrase(passphrase)}`);
  }
  if (certificates.length + keys.length === 0) return;
  check(addon.contextCheckKey(id), 'ERR_OPENSSL_KEY', 'certificates and private keys do not belong together');
}

function withPassphrase(passphrase: Uint8Array | null): string {
  return passphrase === null ? ' (without a passphrase)' : ' with its passphrase';
}

function setTrust(id: ContextId, options: SslContextOptions, materials: Materials, policy: ContextPolicy): void {
  const addon = native();
  for (const authority of materials.authorities) {
    const isAdded = addon.contextAddCa(id, authority, policy.requestCert);
    check(isAdded, 'ERR_OPENSSL_CERTIFICATE', 'the trust anchor (ca) could not be read');
  }
  for (const list of materials.revocations) {
    const isAdded = addon.contextAddCrl(id, list, options.crlCheck !== 'leaf');
    check(isAdded, 'ERR_OPENSSL_CERTIFICATE', 'the revocation list (crl) could not be read');
  }
  addon.contextAllowPartialChain(id, options.allowPartialTrustChain ?? false);
  addon.contextSetVerify(id, verifyMode(policy, true), -1);
}

/** @internal Bits of {@link VerifyMode} for one side: who only reports leaves the judgement to `judgePeer`. */
export function verifyMode(policy: ContextPolicy, isServer: boolean): number {
  const { requestCert, rejectUnauthorized, verify } = policy;
  if (isServer && !requestCert) return VerifyMode.none;
  let mode: number = VerifyMode.peer;
  if (isServer && rejectUnauthorized) mode |= VerifyMode.failIfNoPeerCertificate;
  if (!rejectUnauthorized || verify !== null) mode |= VerifyMode.reportOnly;
  return mode;
}

function setSessions(id: ContextId, options: SslContextOptions): void {
  const addon = native();
  const { ticketKeys } = options;
  const isSet = addon.contextSetSessions(
    id,
    options.sessionCacheSize ?? 1024,
    options.sessionTimeout ?? 300,
    options.sessionTickets ?? true,
    options.ticketCount ?? 2,
  );
  check(isSet, 'ERR_OPENSSL_SETTING', 'OpenSSL refuses the options for sessions');
  if (ticketKeys === undefined) return;
  const areSet = addon.contextSetTicketKeys(id, joinTicketKeys('options.ticketKeys', ticketKeys));
  check(areSet, 'ERR_OPENSSL_SETTING', 'OpenSSL refuses the option ticketKeys');
}

/**
 * The same in each process with the same options. Everything that decides on clients is in it, also beside what the user
 * has said, but for the pre-shared keys, which can change: whoever resumes a session is not verified again.
 */
function sessionScopeOf(
  id: ContextId,
  options: SslContextOptions,
  materials: Materials,
  policy: ContextPolicy,
): Uint8Array {
  const { sessionIdContext = '', crlCheck = 'chain', allowPartialTrustChain = false, trustPfx } = options;
  const level = native().contextSecurityLevel(id);
  const hash = createHash('sha256');
  const asksUser = policy.verify !== null;
  hash.update(
    `bufferevent-openssl ${verifyMode(policy, true)} ${asksUser} ${crlCheck} ${allowPartialTrustChain} ${level}`,
  );
  addParts(hash, 'user', [textBytes(sessionIdContext)]);
  addParts(hash, 'ca', materials.authorities);
  addParts(hash, 'crl', materials.revocations);
  addParts(hash, 'pfx', trustPfx === true ? materials.pfxs.map(({ bytes }) => bytes) : []);
  return hash.digest();
}

/** Only who was let in by the same keys, or by none where there are none, resumes a session. */
function setSessionIdContext(id: ContextId, scope: Uint8Array, psk: PskOptions | undefined): void {
  const hash = createHash('sha256').update(scope);
  if (psk !== undefined && 'identities' in psk) {
    const entries = pskEntries(psk.identities).map(([name, key]): [Uint8Array, Uint8Array] => [textBytes(name), key]);
    addParts(hash, 'psk', entries.sort(([left], [right]) => Buffer.compare(left, right)).flat());
  }
  const isSet = native().contextSetSessionIdContext(id, hash.digest());
  check(isSet, 'ERR_OPENSSL_SETTING', 'OpenSSL refuses the context of sessions');
}

function addParts(hash: Hash, kind: string, parts: readonly Uint8Array[]): void {
  hash.update(`\n${kind} ${parts.length}\n`);
  for (const bytes of parts) {
    hash.update(`${bytes.length}\n`);
    hash.update(bytes);
  }
}

function isForServers(psk: PskOptions | undefined): boolean {
  return psk !== undefined && 'identities' in psk;
}

/** Those of the other side are forgotten. */
function setPsk(id: ContextId, psk: PskOptions): void {
  const addon = native();
  if (!('identities' in psk)) {
    check(addon.contextSetPsk(id, psk.identity, psk.key), 'ERR_OPENSSL_SETTING', 'the pre-shared key could not be set');
    addon.contextSetPskIdentities(id, [], [], '');
    return;
  }
  const entries = pskEntries(psk.identities);
  const [names, keys] = [entries.map(([name]) => name), entries.map(([, key]) => key)];
  const isSet = addon.contextSetPskIdentities(id, names, keys, psk.hint ?? '');
  check(isSet, 'ERR_OPENSSL_SETTING', 'the pre-shared keys could not be set');
  addon.contextSetPsk(id, '', new Uint8Array(0));
}
