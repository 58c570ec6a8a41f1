/**
 * The contract between the addon (`native/`) and everything above it. Types and numbers only. No JavaScript ever runs
 * inside a call of OpenSSL: where a user has a say (server name, pre-shared keys, session tickets), the addon either
 * holds what it needs beforehand, or the handshake is suspended and called again.
 *
 * Contexts and connections ("ssl") are named by numbers with a generation (slot + generation × 2^24): a stale one is refused with
 * `ERR_OPENSSL_FREED`, never mistaken for another; freeing one again does nothing. They belong to the environment (thread) that made them, and are freed
 * with it. Memory handed in is used during the call only. OpenSSL's error queue of the thread is empty before and after
 * every call (TL-23).
 *
 * Calls that can fail inside OpenSSL answer `false` (or `null`, or 0 for a new thing) and leave the reasons in
 * `takeErrors()`; those of a connection's input and output answer a {@link Status}, with the reasons in `sslTakeErrors(ssl)`.
 * Arguments of the wrong type throw `TypeError`: the classes above have checked them before.
 */

/** What a call of the engine has come to. */
export const Status = {
  /** Done: the handshake is finished; all that was given is encrypted; `plain` is full. */
  ok: 0,
  /** All of the input was used and more is needed. Also of `write`, while a TLS 1.2 renegotiation waits for its peer. */
  wantInput: 1,
  /** The peer's close_notify has come: nothing more is to be read. */
  closed: 2,
  /** `sslTakeErrors` says why. Nothing more is possible but to take the output, where an alert may be. */
  failed: 3,
  /** The handshake is suspended at the ClientHello (see `sslSuspendAtHello`): look at it, choose, call again. */
  clientHello: 4,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Indices of the words that each call of the engine leaves in the `results` given to `start`. */
export const Result = {
  /** Bytes of the input (`read`, `handshake`) or of the plaintext (`write`) that were used. */
  consumed: 0,
  /** Bytes put into `plain` (`read`) or into `out` (`write`). */
  produced: 1,
  /** Bytes for the peer that wait for `sslTakeOutput`. */
  output: 2,
  /** Decrypted bytes that the engine holds because `plain` was full. */
  buffered: 3,
  /** {@link EngineEvent} bits: what happened during the call. */
  events: 4,
} as const;
export const RESULT_WORDS = 8;

export const EngineEvent = {
  /** The handshake has finished, the first one or a renegotiation. */
  handshakeDone: 1,
  /**
   * A handshake has begun after the first one: a renegotiation, ours or the peer's. Also when the peer's was refused, so that
   * those can be counted; then no `handshakeDone` follows. A server's own request says it twice: when it is made and when the
   * client answers.
   */
  handshakeStarted: 2,
  /** Of a client. Sessions wait for `sslTakeSessions` (TLS 1.3: tickets; before: when the handshake is done). */
  session: 4,
  /** Lines wait for `sslTakeKeyLog`. */
  keyLog: 8,
  /** The peer has changed its keys (TLS 1.3). */
  keyUpdate: 16,
} as const;

/** Bits of `sslFlags`. */
export const SslFlag = {
  /** The first handshake is done. */
  established: 1,
  /** Our close_notify was made. */
  closeSent: 2,
  /** The peer's close_notify has come. */
  closeReceived: 4,
  /** Another handshake is under way (TLS ≤ 1.2), in which nothing can be written or ended. */
  renegotiating: 8,
} as const;

/** Bits of `contextSetVerify`. */
export const VerifyMode = {
  none: 0,
  /** A certificate is asked for, and verified. */
  peer: 1,
  /** A server refuses clients without one. */
  failIfNoPeerCertificate: 2,
  /** Verified, but what is wrong only shows in `sslVerifyErrors`: somebody above decides. */
  reportOnly: 4,
} as const;

/** One entry of OpenSSL's error queue. Lists keep the newest 32. */
export interface RawError {
  /** As `ERR_get_error()` gives it. */
  readonly code: number;
  readonly library: string;
  readonly reason: string;
  /** What was said about it in particular (`ERR_get_error_all`), often empty. */
  readonly data: string;
}

export type ContextId = number;
export type SslId = number;

/** What a client has said at first. */
export interface ClientHello {
  readonly servername: string;
  /** In the wire format: each with its length in front. Empty when there is none. */
  readonly alpn: Uint8Array;
}

export interface Binding {
  /** Version of OpenSSL that this process runs, as `OpenSSL_version(OPENSSL_VERSION_STRING)` says it. */
  readonly opensslVersion: string;
  /** `true` for the build that carries OpenSSL within itself. */
  readonly isStatic: boolean;

  /** Once per environment, first of all. `results` must have {@link RESULT_WORDS} words and must not be detached. */
  start(results: Int32Array): void;
  /** The reasons of the last call that failed and was not of a connection; oldest first; taken. */
  takeErrors(): RawError[];

  // Contexts. A context is configured before the first connection is made of it; `Secret` settings may change any time.
  /** Versions as 0x0301 … 0x0304. Options: no compression, cipher server preference, no renegotiation unless allowed. */
  contextNew(minVersion: number, maxVersion: number): ContextId;
  contextFree(context: ContextId): void;
  /** PEM or DER (PKCS#8, PKCS#1, SEC1, also encrypted). `passphrase` null: none; a key that needs one fails. */
  contextUseKey(context: ContextId, key: Uint8Array, passphrase: Uint8Array | null): boolean;
  /** PEM: leaf first, then the chain. DER: one certificate. Several calls: several kinds of key (RSA and ECDSA). */
  contextUseCertificate(context: ContextId, certificate: Uint8Array): boolean;
  contextUsePfx(context: ContextId, pfx: Uint8Array, passphrase: Uint8Array | null, trustIncluded: boolean): boolean;
  /** Whether each certificate has its key. */
  contextCheckKey(context: ContextId): boolean;
  /** Trust anchors: PEM, any number, or one in DER. Without any the peer is never trusted. `names`: also offered to clients as acceptable issuers. */
  contextAddCa(context: ContextId, certificates: Uint8Array, names: boolean): boolean;
  /**
   * Clients made from now on trust the anchors of `other` beside its own; servers go on with its own, which is to have all it
   * will ever have. Nothing is parsed again, and `other` is not to change any more.
   */
  contextTrustAsClient(context: ContextId, other: ContextId): boolean;
  /** PEM or DER; turns on the checking of revocation, of the leaf or of the whole chain. */
  contextAddCrl(context: ContextId, crl: Uint8Array, wholeChain: boolean): boolean;
  contextAllowPartialChain(context: ContextId, allowed: boolean): void;
  /** TLS 1.2 and below. */
  contextSetCiphers(context: ContextId, list: string): boolean;
  /** TLS 1.3. */
  contextSetSuites(context: ContextId, list: string): boolean;
  contextSetGroups(context: ContextId, list: string): boolean;
  contextSetSignatureAlgorithms(context: ContextId, list: string): boolean;
  contextSetServerPreference(context: ContextId, serverChooses: boolean): void;
  contextSetSecurityLevel(context: ContextId, level: number): void;
  /** In the wire format. A client offers it; a server chooses from it by its own order, and refuses clients with nothing in common. */
  contextSetAlpn(context: ContextId, protocols: Uint8Array): boolean;
  /** {@link VerifyMode} bits. `depth` −1: OpenSSL's default. */
  contextSetVerify(context: ContextId, mode: number, depth: number): void;
  contextAllowRenegotiation(context: ContextId, allowed: boolean): void;
  /**
   * Keys of session tickets, 80 bytes each (16 name, 32 AES-256-CBC, 32 HMAC-SHA256): the first encrypts, all decrypt, what another
   * than the first decrypts is renewed. May change any time. Empty: back to keys of the context's own.
   */
  contextSetTicketKeys(context: ContextId, keys: Uint8Array): boolean;
  /** What the lists of ciphers have made of it (`@SECLEVEL`). */
  contextSecurityLevel(context: ContextId): number;
  /** At most 32 bytes, for connections made from now on: sessions of others are not resumed. At first the same for all contexts. */
  contextSetSessionIdContext(context: ContextId, idContext: Uint8Array): boolean;
  /** `cacheSize` 0 with `tickets` false: no resumption. `ticketCount`: TLS 1.3 tickets after a handshake. */
  contextSetSessions(
    context: ContextId,
    cacheSize: number,
    timeoutSeconds: number,
    tickets: boolean,
    ticketCount: number,
  ): boolean;
  /** [connect, accept, hits, misses, timeouts, cache full, in cache, renegotiations of clients, of servers] */
  contextSessionStats(context: ContextId): number[];
  contextFlushSessions(context: ContextId): void;
  /** The stapled answer a server gives to clients that ask (DER); empty: none. May change any time. */
  contextSetOcspResponse(context: ContextId, response: Uint8Array): boolean;
  /** Whether lines of the NSS key log format are kept for `sslTakeKeyLog`. */
  contextSetKeyLog(context: ContextId, enabled: boolean): void;
  /** What a server knows: identities (at most 255 bytes) and keys (at most 256), in pairs; none: no longer. `hint` for TLS 1.2, or empty. May change any time. TLS 1.2 and 1.3. */
  contextSetPskIdentities(
    context: ContextId,
    identities: readonly string[],
    keys: readonly Uint8Array[],
    hint: string,
  ): boolean;
  /** What a client says; both empty: nothing any longer. */
  contextSetPsk(context: ContextId, identity: string, key: Uint8Array): boolean;
  /** Finite-field Diffie-Hellman of TLS 1.2: parameters in PEM or DER, or empty for those OpenSSL picks by the key ("auto"). */
  contextSetDhParameters(context: ContextId, parameters: Uint8Array): boolean;
  /** Certificates of this context, leaf first, DER. */
  contextCertificates(context: ContextId): Uint8Array[];

  // Connections.
  sslNew(context: ContextId, isServer: boolean): SslId;
  sslFree(ssl: SslId): void;
  /** As new, with the same context: the state of before any handshake. Settings made by the calls below stay. */
  sslReset(ssl: SslId): boolean;
  /** Client: SNI. */
  sslSetServername(ssl: SslId, servername: string): boolean;
  /** Whom the peer's certificate has to name: a host name or a numeric IP. Checked by OpenSSL, in the handshake. */
  sslSetVerifyName(ssl: SslId, name: string): boolean;
  sslSetVerify(ssl: SslId, mode: number): void;
  sslSetAlpn(ssl: SslId, protocols: Uint8Array): boolean;
  /**
   * Client, before the handshake: a session that `sslTakeSessions` gave. When it is resumed where the peer is verified, the
   * certificate in it has to have been verified and to have the name asked for; else the handshake fails.
   */
  sslSetSession(ssl: SslId, session: Uint8Array): boolean;
  /** Client: ask for a stapled OCSP answer. */
  sslRequestOcsp(ssl: SslId): boolean;
  /** Server: the handshake stops once with `Status.clientHello`. */
  sslSuspendAtHello(ssl: SslId): void;
  /** What the client has said; `null` before. */
  sslClientHello(ssl: SslId): ClientHello | null;
  /** Server, suspended: everything of the connection (certificates, versions, ciphers, verification, …) is that of `context`. */
  sslSetContext(ssl: SslId, context: ContextId): boolean;

  // The engine. Input and output of the network are memory; nothing blocks.
  sslHandshake(ssl: SslId, input: Uint8Array, start: number, end: number): Status;
  /** Decrypts into `plain` until it is full, the input used up, or the stream over. `input` may be empty: what is buffered is read. */
  sslRead(
    ssl: SslId,
    input: Uint8Array,
    start: number,
    end: number,
    plain: Uint8Array,
    plainStart: number,
    plainEnd: number,
  ): Status;
  /**
   * Encrypts all of the plaintext into records of at most 16 KiB at `out`; behind output that waits already, and behind what has no room there, into
   * memory of the connection's own, for `sslTakeOutput`. `out` is only used when no output waits.
   */
  sslWrite(
    ssl: SslId,
    plain: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    outStart: number,
    outEnd: number,
  ): Status;
  /** Moves waiting output; @returns the bytes. */
  sslTakeOutput(ssl: SslId, into: Uint8Array, start: number, end: number): number;
  /** Adds our close_notify. `ok`: the peer's has come already; `wantInput`: not yet. */
  sslShutdown(ssl: SslId): Status;
  /** The peer is not who it should be: all further calls fail. */
  sslRefuse(ssl: SslId): void;
  /** TLS ≤ 1.2: begins a renegotiation, which `sslHandshake` goes on with. `false`: TLS 1.3, or not possible. */
  sslRenegotiate(ssl: SslId): boolean;
  /** TLS 1.3: new keys for what we send, with the next record; `requestPeer`: the peer's as well. */
  sslUpdateKeys(ssl: SslId, requestPeer: boolean): boolean;

  // What a connection knows.
  sslTakeErrors(ssl: SslId): RawError[];
  /** DER of `SSL_SESSION`, oldest first; the newest 8 of a client. */
  sslTakeSessions(ssl: SslId): Uint8Array[];
  /** The newest 64. */
  sslTakeKeyLog(ssl: SslId): string[];
  /** `TLSv1.3` …; empty before it is known. */
  sslVersion(ssl: SslId): string;
  /** [OpenSSL name, RFC name, version, bits]; null before. */
  sslCipher(ssl: SslId): readonly [name: string, standardName: string, version: string, bits: number] | null;
  /** The group of the key exchange (`X25519`, `P-256`, `X25519MLKEM768`), or empty. */
  sslGroup(ssl: SslId): string;
  /** The chosen protocol, or empty. */
  sslAlpn(ssl: SslId): string;
  /** SNI: what was asked for by us, or by the client. */
  sslServername(ssl: SslId): string;
  sslIsSessionReused(ssl: SslId): boolean;
  /** The session of now, DER; null when there is none that can be resumed. */
  sslSession(ssl: SslId): Uint8Array | null;
  /** What the peer sent, leaf first, DER; also when it was refused. Of a resumed session its leaf at most. */
  sslPeerCertificates(ssl: SslId): Uint8Array[];
  /** As verified, leaf first, up to the trust anchor; empty when something is wrong with it, and after a resumption. */
  sslVerifiedChain(ssl: SslId): Uint8Array[];
  /**
   * All that is wrong with the peer's certificates, each an `X509_V_*` number, its text, and the depth it was met at; empty
   * when nothing is. As they were met, but names (62, 63, 64) behind all else; one only where the handshake was given up for it,
   * and for a session that was resumed. Empty without a certificate where none is needed: from a client, and with a
   * pre-shared key.
   */
  sslVerifyErrors(ssl: SslId): readonly (readonly [code: number, text: string, depth: number])[];
  /** The peer's stapled OCSP answer, DER; null when none came. */
  sslOcspResponse(ssl: SslId): Uint8Array | null;
  sslExportKeyingMaterial(ssl: SslId, length: number, label: string, context: Uint8Array | null): Uint8Array | null;
  /** The Finished message of the last handshake, ours or the peer's. */
  sslFinished(ssl: SslId, ofPeer: boolean): Uint8Array | null;
  /** `SSL_state_string_long`. */
  sslState(ssl: SslId): string;
  /** {@link SslFlag} bits. */
  sslFlags(ssl: SslId): number;
  /** A text for an `X509_V_*` number or an error code. */
  verifyText(code: number): string;

  /**
   * A new private key (P-256) and a certificate signed with it, both PEM, for demonstrations and tests: names (in ASCII) and addresses as
   * alternative names, valid from an hour ago for `days`. @returns [key, certificate] or null
   */
  selfSignedCertificate(names: readonly string[], days: number): readonly [key: string, certificate: string] | null;
  /** Connections and contexts that are not freed. */
  liveCounts(): readonly [contexts: number, ssls: number];
}
