import type { RawError } from './binding-contract.js';

/** What was refused, or why a connection was given up, by this layer. Failures of the system keep Node's own codes. */
export type OpensslErrorCode =
  | 'ERR_OPENSSL_UNAVAILABLE'
  | 'ERR_OPENSSL_UNSUPPORTED'
  | 'ERR_OPENSSL_FREED'
  | 'ERR_OPENSSL_STATE'
  | 'ERR_OPENSSL_KEY'
  | 'ERR_OPENSSL_CERTIFICATE'
  | 'ERR_OPENSSL_SETTING'
  | 'ERR_OPENSSL_SESSION'
  | 'ERR_OPENSSL_HANDSHAKE'
  | 'ERR_OPENSSL_VERIFY'
  | 'ERR_OPENSSL_PROTOCOL'
  | 'ERR_OPENSSL_TRUNCATED'
  | 'ERR_OPENSSL_RENEGOTIATION';

/** One entry of OpenSSL's error queue. */
export type OpensslErrorEntry = RawError;

export interface OpensslErrorOptions extends ErrorOptions {
  /** What OpenSSL had in its queue, oldest first. */
  readonly opensslErrors?: readonly OpensslErrorEntry[];
}

const brand = Symbol.for('bufferevent-openssl.OpensslError');
const verifyBrand = Symbol.for('bufferevent-openssl.OpensslVerifyError');

/** The numbers of OpenSSL's libraries in its error codes that are of interest here. */
const LIBRARY_SSL = 20;
/** Alerts of the peer are reasons from here on (`SSL_AD_REASON_OFFSET`). */
const ALERT_REASONS = 1000;
const CERTIFICATE_VERIFY_FAILED = 134;

function libraryOf({ code }: OpensslErrorEntry): number {
  return (code >>> 23) & 0xff;
}

function reasonOf({ code }: OpensslErrorEntry): number {
  return code & 0x7f_ffff;
}

/**
 * Everything of TLS that goes wrong. `instanceof` works across copies of this package. The table of codes stands in
 * `docs/error-codes.md`.
 */
export class OpensslError extends Error {
  readonly code: OpensslErrorCode;
  /** What OpenSSL said, oldest (that is the root of it) first; empty when it was not OpenSSL that refused. */
  readonly opensslErrors: readonly OpensslErrorEntry[];

  constructor(code: OpensslErrorCode, message: string, options: OpensslErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.opensslErrors = Object.freeze([...(options.opensslErrors ?? [])]);
    Object.defineProperty(this, brand, { value: true });
  }

  override get name(): string {
    return 'OpensslError';
  }

  /** The first number of `opensslErrors`, in the format of `ERR_get_error()`; 0 when there is none (TL-15). */
  get opensslCode(): number {
    return this.opensslErrors[0]?.code ?? 0;
  }

  /** The alert by which the peer has refused us (RFC 8446 section 6; 48 is `unknown_ca`), or `null`. */
  get alert(): number | null {
    for (const entry of this.opensslErrors) {
      const alert = reasonOf(entry) - ALERT_REASONS;
      if (libraryOf(entry) === LIBRARY_SSL && alert >= 0 && alert <= 255) return alert;
    }
    return null;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** The peer's certificate was not accepted. */
export class OpensslVerifyError extends OpensslError {
  /** An `X509_V_ERR_*` number. */
  readonly verifyCode: number;
  /** The name of that number as `node:tls` has it in `error.code`: `CERT_HAS_EXPIRED`; or the number, for rare ones. */
  readonly verifyName: string;
  /** Where in the chain: 0 for the peer's own certificate; −1 where that is not known. */
  readonly depth: number;

  constructor(verifyCode: number, text: string, depth: number, options: OpensslErrorOptions = {}) {
    super('ERR_OPENSSL_VERIFY', `the certificate of the peer was not accepted: ${text}`, options);
    this.verifyCode = verifyCode;
    this.verifyName = verifyNames.get(verifyCode) ?? String(verifyCode);
    this.depth = depth;
    Object.defineProperty(this, verifyBrand, { value: true });
  }

  override get name(): string {
    return 'OpensslVerifyError';
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && verifyBrand in value;
  }
}

/** @internal An `X509_V_ERR_*` number that stands for the judgement of the user's own `verify`. */
export const APPLICATION_VERIFICATION = 50;
/** @internal `X509_V_ERR_HOSTNAME_MISMATCH` */
export const HOSTNAME_MISMATCH = 62;
/** @internal `X509_V_ERR_IP_ADDRESS_MISMATCH` */
export const IP_ADDRESS_MISMATCH = 64;

/** @internal Whether all that is said is that the certificate is somebody else's. */
export function isAboutName({ verifyCode }: OpensslVerifyError): boolean {
  return verifyCode === HOSTNAME_MISMATCH || verifyCode === IP_ADDRESS_MISMATCH;
}

/** `X509_V_ERR_*` without that. */
const verifyNames: ReadonlyMap<number, string> = new Map([
  [2, 'UNABLE_TO_GET_ISSUER_CERT'],
  [3, 'UNABLE_TO_GET_CRL'],
  [4, 'UNABLE_TO_DECRYPT_CERT_SIGNATURE'],
  [5, 'UNABLE_TO_DECRYPT_CRL_SIGNATURE'],
  [6, 'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY'],
  [7, 'CERT_SIGNATURE_FAILURE'],
  [8, 'CRL_SIGNATURE_FAILURE'],
  [9, 'CERT_NOT_YET_VALID'],
  [10, 'CERT_HAS_EXPIRED'],
  [11, 'CRL_NOT_YET_VALID'],
  [12, 'CRL_HAS_EXPIRED'],
  [13, 'ERROR_IN_CERT_NOT_BEFORE_FIELD'],
  [14, 'ERROR_IN_CERT_NOT_AFTER_FIELD'],
  [15, 'ERROR_IN_CRL_LAST_UPDATE_FIELD'],
  [16, 'ERROR_IN_CRL_NEXT_UPDATE_FIELD'],
  [17, 'OUT_OF_MEM'],
  [18, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  [19, 'SELF_SIGNED_CERT_IN_CHAIN'],
  [20, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  [21, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  [22, 'CERT_CHAIN_TOO_LONG'],
  [23, 'CERT_REVOKED'],
  [25, 'PATH_LENGTH_EXCEEDED'],
  [26, 'INVALID_PURPOSE'],
  [27, 'CERT_UNTRUSTED'],
  [28, 'CERT_REJECTED'],
  [APPLICATION_VERIFICATION, 'APPLICATION_VERIFICATION'],
  [HOSTNAME_MISMATCH, 'HOSTNAME_MISMATCH'],
  [IP_ADDRESS_MISMATCH, 'IP_ADDRESS_MISMATCH'],
  [66, 'EE_KEY_TOO_SMALL'],
  [67, 'CA_KEY_TOO_SMALL'],
  [68, 'CA_MD_TOO_WEAK'],
  [79, 'INVALID_CA'],
]);

/** @internal Whether OpenSSL has given a handshake up because of the peer's certificate. */
export function isVerifyFailure(entries: readonly OpensslErrorEntry[]): boolean {
  return entries.some((entry) => libraryOf(entry) === LIBRARY_SSL && reasonOf(entry) === CERTIFICATE_VERIFY_FAILED);
}

/** @internal An error whose message ends with what OpenSSL said first. */
export function opensslError(
  code: OpensslErrorCode,
  what: string,
  opensslErrors: readonly OpensslErrorEntry[],
): OpensslError {
  const [first] = opensslErrors;
  if (first === undefined) return new OpensslError(code, what);
  const data = first.data === '' ? '' : ` (${first.data})`;
  return new OpensslError(code, `${what}: ${first.reason}${data}`, { opensslErrors });
}

/** @internal */
export function unsupportedError(what: string): OpensslError {
  return new OpensslError('ERR_OPENSSL_UNSUPPORTED', what);
}

/** @internal */
export function freedError(what: 'context' | 'Ssl'): OpensslError {
  return new OpensslError('ERR_OPENSSL_FREED', `the ${what} was freed`);
}
