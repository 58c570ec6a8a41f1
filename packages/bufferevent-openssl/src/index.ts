export type { AlpnProtocols } from './alpn.js';
export { isAvailable, unavailabilityReason } from './available.js';
export { createSelfSignedCertificate, type SelfSignedOptions } from './certificates.js';
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
export type { KeyLogFunction } from './key-log.js';
export type { NodeContextOptions } from './node-options.js';
export { type CipherInfo, type SessionFunction, Ssl, type SslOptions, type SslState } from './ssl.js';
export { type SessionStats, SslContext } from './ssl-context.js';
export { createTicketKey } from './ticket-keys.js';
export type { PeerIdentity, VerifyAnswer, VerifyFunction } from './verify.js';
