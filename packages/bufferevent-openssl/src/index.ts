export type { AlpnProtocols } from './alpn.js';
export { isAvailable, unavailabilityReason } from './available.js';
export { createSelfSignedCertificate, type SelfSignedOptions } from './certificates.js';
export { type ClientOptions, type ConnectTlsOptions, type ContextChoice, connectTls } from './connect-tls.js';
export type {
  ClientHelloFunction,
  ClientHelloInfo,
  Encoded,
  EncryptedKey,
  EncryptedPfx,
  FilePath,
  OneOrMore,
  PskOptions,
  SslContextOptions,
  TlsVersion,
} from './context-options.js';
export {
  OpensslError,
  type OpensslErrorCode,
  type OpensslErrorEntry,
  type OpensslErrorOptions,
  OpensslVerifyError,
} from './errors.js';
export { defaultHandshakeStepsPerTurn, setHandshakeStepsPerTurn } from './handshake-turns.js';
export type { KeyLogFunction } from './key-log.js';
export {
  type ListenTlsHandlers,
  type ListenTlsOptions,
  listenTls,
  TlsListener,
  type TlsListenerStats,
} from './listen-tls.js';
export type { CipherInfo } from './negotiated.js';
export type { NodeContextOptions } from './node-options.js';
export {
  getOpensslError,
  getOpensslErrors,
  getSsl,
  OpensslBufferevent,
  OpensslFilterBufferevent,
  type OpensslOptions,
  OpensslSocketBufferevent,
  renegotiate,
  type TlsOutcome,
  tlsOutcome,
} from './openssl-bufferevent.js';
export { Ssl, type SslState } from './ssl.js';
export { SslBioPair, type SslBioPairOptions } from './ssl-bio-pair.js';
export { type SessionStats, SslContext } from './ssl-context.js';
export type { SessionFunction, SslOptions } from './ssl-options.js';
export { createTicketKey } from './ticket-keys.js';
export { TlsLayer, type TlsLayerOptions, type TlsState } from './tls-layer.js';
export { type UpgradeTlsOptions, upgradeToTls } from './upgrade-tls.js';
export type { PeerIdentity, VerifyAnswer, VerifyFunction } from './verify.js';
