import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { SslId } from './binding-contract.js';
import { certificateNames, toCertificates } from './certificates.js';
import {
  HOSTNAME_MISMATCH,
  IP_ADDRESS_MISMATCH,
  isAboutName,
  type OpensslErrorEntry,
  OpensslVerifyError,
} from './errors.js';
import { native } from './native.js';
import type { SslOptions } from './ssl-options.js';

export interface CipherInfo {
  /** OpenSSL's name: `ECDHE-RSA-AES128-GCM-SHA256`, `TLS_AES_128_GCM_SHA256`. */
  readonly name: string;
  /** The name of the RFCs. */
  readonly standardName: string;
  /** The oldest protocol that has it. */
  readonly version: string;
  readonly bits: number;
}

/** The part of an `Ssl` that only tells: what both sides have agreed upon, and who the peer is. */
export abstract class Negotiated {
  /** @internal */
  protected readonly options: SslOptions;

  /** @internal */
  protected constructor(options: SslOptions) {
    this.options = options;
  }

  /** @internal 0 before it is known whether it is a client or a server, and after `free()`. */
  protected abstract get id(): SslId;

  /** Whether it is a server; `null` before it is known. */
  abstract get isServer(): boolean | null;

  /** `TLSv1.3` or `TLSv1.2`, … */
  get protocol(): string | null {
    return this.id === 0 ? null : orNull(native().sslVersion(this.id));
  }

  get cipher(): CipherInfo | null {
    const cipher = this.id === 0 ? null : native().sslCipher(this.id);
    if (cipher === null) return null;
    const [name, standardName, version, bits] = cipher;
    return { name, standardName, version, bits };
  }

  /** The group of the key exchange: `X25519`. */
  get group(): string | null {
    return this.id === 0 ? null : orNull(native().sslGroup(this.id));
  }

  /** What both sides have agreed on by ALPN. */
  get alpnProtocol(): string | null {
    return this.id === 0 ? null : orNull(native().sslAlpn(this.id));
  }

  /** The host name that was asked for (SNI): by us, or by the client. */
  get servername(): string | null {
    if (this.id === 0) return this.options.servername ?? null;
    return orNull(native().sslServername(this.id));
  }

  /** Of a client: the host or the numeric address that the certificate of the server has to name. */
  get verifyName(): string | null {
    const { servername = null, verifyName = servername } = this.options;
    return this.isServer === true ? null : verifyName;
  }

  /** Of the peer. */
  get peerCertificate(): X509Certificate | null {
    return this.peerCertificateChain[0] ?? null;
  }

  /** What the peer has sent, its own certificate first. Of resumed sessions its own only. */
  get peerCertificateChain(): X509Certificate[] {
    return this.id === 0 ? [] : toCertificates(native().sslPeerCertificates(this.id));
  }

  /** From the peer's certificate to the trust anchor, as OpenSSL has found its way; empty where it found none. */
  get verifiedChain(): X509Certificate[] {
    return this.id === 0 ? [] : toCertificates(native().sslVerifiedChain(this.id));
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
    return this.verifyErrorsOf([]);
  }

  /** What can be resumed now, see {@link SessionFunction}; with TLS 1.3 only once the server has sent a ticket. */
  get session(): Uint8Array | null {
    return this.id === 0 ? null : native().sslSession(this.id);
  }

  get isSessionReused(): boolean {
    return this.id !== 0 && native().sslIsSessionReused(this.id);
  }

  /** The OCSP response that the server has stapled, DER, which nobody has verified; `null` without one. */
  get ocspResponse(): Uint8Array | null {
    return this.id === 0 ? null : native().sslOcspResponse(this.id);
  }

  /** Our Finished message of the last handshake, as for `tls-unique` (RFC 5929; not with TLS 1.3). */
  get finished(): Uint8Array | null {
    return this.id === 0 ? null : native().sslFinished(this.id, false);
  }

  /** That of the peer. */
  get peerFinished(): Uint8Array | null {
    return this.id === 0 ? null : native().sslFinished(this.id, true);
  }

  /** @internal {@link verifyErrors}, each with what OpenSSL had in its queue. */
  protected verifyErrorsOf(opensslErrors: readonly OpensslErrorEntry[]): OpensslVerifyError[] {
    if (this.id === 0) return [];
    const errors = native()
      .sslVerifyErrors(this.id)
      .map(([code, text, depth]) => new OpensslVerifyError(code, text, depth, { opensslErrors }));
    if (this.isServer !== false || !this.isSessionReused || errors.some(isAboutName)) return errors;
    // OpenSSL compares names when it verifies a certificate, and a resumed session has none verified: it could have been
    // made for another name.
    const { verifyName } = this;
    const certificate = this.peerCertificate;
    if (verifyName === null || certificate === null || certificateNames(certificate, verifyName)) return errors;
    const mismatch = isIP(verifyName) === 0 ? HOSTNAME_MISMATCH : IP_ADDRESS_MISMATCH;
    errors.push(new OpensslVerifyError(mismatch, native().verifyText(mismatch), 0, { opensslErrors }));
    return errors;
  }
}

function orNull(text: string): string | null {
  return text === '' ? null : text;
}
