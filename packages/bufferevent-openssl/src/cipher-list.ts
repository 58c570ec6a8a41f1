import { constants } from 'node:crypto';
import { argumentRangeError } from 'bufferevent-backend';
import { type SslContextOptions, versionNumber } from './context-options.js';

/** Of Node 20, for runtimes that do not say what theirs is. */
const fallbackCiphers =
  'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:' +
  'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:' +
  'ECDHE-ECDSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256:DHE-RSA-AES128-SHA256:' +
  'ECDHE-RSA-AES256-SHA384:DHE-RSA-AES256-SHA384:ECDHE-RSA-AES256-SHA256:DHE-RSA-AES256-SHA256:' +
  'HIGH:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!MD5:!PSK:!SRP:!CAMELLIA';

/** Those with a pre-shared key and a key exchange of its own for each connection. */
const pskCiphers = 'ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES256-GCM-SHA384:DHE-PSK-AES128-GCM-SHA256';

/** Node's own list, also where Node was started with another; for who has a pre-shared key with what can use it. */
export function defaultCiphers(usesPsk: boolean): string {
  const list = constants.defaultCoreCipherList ?? fallbackCiphers;
  if (!usesPsk) return list;
  const names = list.split(':').filter((name) => name !== '!PSK');
  // OpenSSL takes a pre-shared key for one of SHA-256, and a server with a certificate chooses the suite before the key.
  const [suites, older] = [names.filter(isSuite), names.filter((name) => !isSuite(name))];
  suites.sort((left, right) => Number(right.endsWith('_SHA256')) - Number(left.endsWith('_SHA256')));
  return [...suites, pskCiphers, ...older, '!kPSK:!kRSAPSK'].join(':');
}

/** Whether a name is one of TLS 1.3. */
function isSuite(name: string): boolean {
  return name.startsWith('TLS_');
}

/** What versions and ciphers come to together. */
export interface CipherSettings {
  /** For TLS 1.2 and below; empty when there is none. */
  readonly list: string;
  /** For TLS 1.3; empty when there is none. */
  readonly suites: string;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/**
 * Parts a list as `node:tls` does: names that begin with `TLS_` are for TLS 1.3, everything else is for the versions
 * before. Without any for the one, only the others are spoken.
 */
export function resolveCiphers(options: SslContextOptions): CipherSettings {
  const {
    ciphers = defaultCiphers(options.psk !== undefined),
    minVersion = 'TLSv1.2',
    maxVersion = 'TLSv1.3',
  } = options;
  const names = ciphers.split(':').filter((name) => name !== '');
  const suites = names.filter(isSuite);
  const older = names.filter((name) => !isSuite(name));
  const [tls12, tls13] = [versionNumber('TLSv1.2'), versionNumber('TLSv1.3')];
  const lowest = older.length === 0 ? Math.max(versionNumber(minVersion), tls13) : versionNumber(minVersion);
  const highest = suites.length === 0 ? Math.min(versionNumber(maxVersion), tls12) : versionNumber(maxVersion);
  if (lowest > highest) {
    throw argumentRangeError('options.ciphers', `of some use from ${minVersion} to ${maxVersion}`, ciphers);
  }
  return { list: older.join(':'), suites: suites.join(':'), minVersion: lowest, maxVersion: highest };
}
