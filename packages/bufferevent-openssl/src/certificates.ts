import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { argumentTypeError, checkInteger, type OptionNames } from 'bufferevent-backend';
import { native, nativeError } from './native.js';
import { checkOptions } from './options.js';

/** @internal */
export function toCertificates(ders: readonly Uint8Array[]): X509Certificate[] {
  return ders.map((der) => new X509Certificate(der));
}

/** @internal Whether a certificate names a host or a numeric address, by the rules that OpenSSL has in the handshake. */
export function certificateNames(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  return certificate.checkHost(name, { partialWildcards: false }) !== undefined;
}

export interface SelfSignedOptions {
  /** Host names and numeric addresses. Default `localhost`, `127.0.0.1` and `::1`. */
  readonly names?: readonly string[];
  /** How long it is valid. Default 30. */
  readonly days?: number;
}

const selfSignedNames: OptionNames<SelfSignedOptions> = { names: true, days: true };

/**
 * Makes a private key (P-256) and a certificate signed with it, both in PEM, for demonstrations and tests: nobody trusts
 * it but who is told its fingerprint, or is given it as `ca`. Throws `TypeError` and `RangeError` for malformed options,
 * `ERR_OPENSSL_CERTIFICATE` when OpenSSL can't.
 */
export function createSelfSignedCertificate(options: SelfSignedOptions = {}): {
  readonly key: string;
  readonly cert: string;
} {
  checkOptions(options, selfSignedNames);
  const { names = ['localhost', '127.0.0.1', '::1'], days = 30 } = options;
  if (!Array.isArray(names) || names.length === 0) throw argumentTypeError('names', 'an array of names', names);
  for (const name of names as unknown[]) {
    // They are put into the text of an extension, where a comma would begin another one.
    if (typeof name !== 'string' || !/^[\w.:*-]+$/.test(name)) throw argumentTypeError('names', 'host names', name);
  }
  checkInteger('days', days, 1, 3650);
  const made = native().selfSignedCertificate(names, days);
  if (made === null) throw nativeError('ERR_OPENSSL_CERTIFICATE', 'no certificate could be made');
  const [key, cert] = made;
  return { key, cert };
}
