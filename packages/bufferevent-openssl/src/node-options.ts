import { constants, type KeyObject, type X509Certificate } from 'node:crypto';
import { argumentRangeError, argumentTypeError, checkInteger, checkOwnOptions } from 'bufferevent-backend';
import type {
  Encoded,
  EncryptedKey,
  EncryptedPfx,
  OneOrMore,
  SslContextOptions,
  TlsVersion,
} from './context-options.js';
import { isAboutName, unsupportedError } from './errors.js';
import { nodeDefaults } from './node-defaults.js';
import type { Ssl } from './ssl.js';
import { ticketKeyOfNode } from './ticket-keys.js';
import type { VerifyFunction } from './verify.js';

/** What Node takes where it takes bytes. */
type NodeBytes = string | NodeJS.ArrayBufferView;

/** The certificate of a peer as `checkServerIdentity` of `node:tls` has it. */
type LegacyCertificate = ReturnType<X509Certificate['toLegacyObject']> & { issuerCertificate?: LegacyCertificate };

/**
 * Options of `tls.createSecureContext()`, `tls.connect()` and `tls.createServer()` that make a context: what is declared
 * here can be had. `null` and `undefined` are left out.
 */
export interface NodeContextOptions {
  readonly allowPartialTrustChain?: boolean | undefined;
  readonly ALPNProtocols?: readonly string[] | NodeJS.ArrayBufferView | undefined;
  readonly ca?: OneOrMore<NodeBytes> | undefined;
  readonly cert?: OneOrMore<NodeBytes> | undefined;
  /** Asked in place of OpenSSL's comparison of names, and only when everything else about the certificate is right. */
  readonly checkServerIdentity?:
    | ((servername: string, certificate: LegacyCertificate) => Error | undefined)
    | undefined;
  readonly ciphers?: string | undefined;
  readonly crl?: OneOrMore<NodeBytes> | undefined;
  readonly dhparam?: NodeBytes | undefined;
  readonly ecdhCurve?: string | undefined;
  readonly honorCipherOrder?: boolean | undefined;
  readonly key?:
    | OneOrMore<NodeBytes | KeyObject | { readonly pem: NodeBytes; readonly passphrase?: string }>
    | undefined;
  readonly maxVersion?: TlsVersion | undefined;
  readonly minVersion?: TlsVersion | undefined;
  readonly passphrase?: string | undefined;
  readonly pfx?: OneOrMore<NodeBytes | { readonly buf: NodeBytes; readonly passphrase?: string }> | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
  readonly requestCert?: boolean | undefined;
  /** Bits of `crypto.constants.SSL_OP_*`, as far as they mean something here. */
  readonly secureOptions?: number | undefined;
  readonly secureProtocol?: string | undefined;
  readonly sessionIdContext?: string | undefined;
  readonly sessionTimeout?: number | undefined;
  readonly sigalgs?: string | undefined;
  readonly ticketKeys?: NodeJS.ArrayBufferView | undefined;
}

/** The members of {@link SslContextOptions} while they are gathered. */
type Gathered = { -readonly [Name in keyof SslContextOptions]: SslContextOptions[Name] };

type Translate = (value: never, gathered: Gathered) => void;

/** Options that Node hands to OpenSSL, or acts upon, in ways that this package has not; and what there is instead. */
const notToBeHad: Readonly<Record<string, string>> = {
  ALPNCallback: 'onClientHello chooses a context by what the client offers',
  SNICallback: 'onClientHello chooses a context, of this package, by the name',
  clientCertEngine: 'engines are not supported',
  enableTrace: 'keyLog lets other programs read the traffic',
  handshakeTimeout: 'it is handshakeMs of a connection or listener',
  minDHSize: 'securityLevel says what keys must be good for: 2, the default, wants 2048 bits',
  privateKeyEngine: 'engines are not supported',
  privateKeyIdentifier: 'engines are not supported',
  pskCallback: 'psk has the keys beforehand',
  pskIdentityHint: 'psk has a hint',
  requestOCSP: 'it is requestOcsp of a connection',
  secureContext: "a context of Node's can not be taken over; make one of the options it was made of",
  servername: 'it is an option of a connection',
  session: 'it is an option of a connection',
};

const translations: { readonly [Name in keyof Required<NodeContextOptions>]: Translate } = {
  allowPartialTrustChain: same('allowPartialTrustChain'),
  ALPNProtocols: (value: readonly string[] | NodeJS.ArrayBufferView, gathered) => {
    gathered.ALPNProtocols = ArrayBuffer.isView(value) ? bytesOf(value) : value;
  },
  ca: encoded('ca'),
  cert: encoded('cert'),
  checkServerIdentity: (value: CheckIdentity, gathered) => {
    gathered.verify = verifyBy(value);
  },
  ciphers: same('ciphers'),
  crl: encoded('crl'),
  dhparam: (value: NodeBytes, gathered) => {
    // The default.
    if (value !== 'auto') gathered.dhparam = encodedOf(value);
  },
  ecdhCurve: (value: string, gathered) => {
    if (typeof value !== 'string') throw argumentTypeError('options.ecdhCurve', 'a string', value);
    if (value === '' || value.includes('\0')) {
      throw argumentRangeError('options.ecdhCurve', 'not empty, without NUL', value);
    }
    if (value !== 'auto') gathered.groups = value;
  },
  honorCipherOrder: same('honorCipherOrder'),
  key: (value: NonNullable<NodeContextOptions['key']>, gathered) => {
    gathered.key = mapped(value, keyOf);
  },
  maxVersion: same('maxVersion'),
  minVersion: same('minVersion'),
  passphrase: same('passphrase'),
  pfx: (value: NonNullable<NodeContextOptions['pfx']>, gathered) => {
    gathered.pfx = mapped(value, pfxOf);
    gathered.trustPfx = true;
  },
  rejectUnauthorized: same('rejectUnauthorized'),
  requestCert: same('requestCert'),
  secureOptions: setSecureOptions,
  secureProtocol: setProtocol,
  sessionIdContext: same('sessionIdContext'),
  sessionTimeout: same('sessionTimeout'),
  sigalgs: same('sigalgs'),
  ticketKeys: (value: NodeJS.ArrayBufferView, gathered) => {
    if (!ArrayBuffer.isView(value)) throw argumentTypeError('options.ticketKeys', 'a Buffer', value);
    gathered.ticketKeys = ticketKeyOfNode(bytesOf(value));
  },
};

/** Throws `ERR_OPENSSL_UNSUPPORTED` for what can't be had, and for names that are not of a context. */
export function translateNodeOptions(options: NodeContextOptions): SslContextOptions {
  if (typeof options !== 'object' || options === null) throw argumentTypeError('options', 'an object', options);
  if (options.secureProtocol && (options.minVersion || options.maxVersion)) {
    throw argumentTypeError(
      'options.secureProtocol',
      'left out beside minVersion and maxVersion',
      options.secureProtocol,
    );
  }
  const gathered: Gathered = nodeDefaults();
  // Node too: one passphrase that nothing wants is no mistake. Bits come last: they narrow what others have set.
  checkOwnOptions('options', options, translations);
  const names = Object.keys(options).sort((left, right) => order(left) - order(right));
  for (const name of names) {
    const value: unknown = options[name as keyof NodeContextOptions];
    if (value === undefined || value === null) continue;
    if (!Object.hasOwn(translations, name)) {
      const instead = notToBeHad[name] ?? 'it is no option of a context';
      throw unsupportedError(`the option ${name} of node:tls can not be used here: ${instead}`);
    }
    translations[name as keyof NodeContextOptions](value as never, gathered);
  }
  // What Node does with revocation lists.
  if (gathered.crl !== undefined) gathered.crlCheck = 'chain';
  return gathered;
}

function order(name: string): number {
  return name === 'secureOptions' ? 1 : 0;
}

/** The same thing under the same name: the constructor of `SslContext` checks it. */
function same<Name extends keyof SslContextOptions & keyof NodeContextOptions>(name: Name): Translate {
  return (value, gathered) => {
    gathered[name] = value;
  };
}

function encoded(name: 'ca' | 'cert' | 'crl'): Translate {
  return (value: OneOrMore<NodeBytes>, gathered: Gathered) => {
    gathered[name] = mapped(value, encodedOf);
  };
}

function mapped<From, To>(value: OneOrMore<From>, map: (value: From) => To): OneOrMore<To> {
  return Array.isArray(value) ? (value as readonly From[]).map(map) : map(value as From);
}

function bytesOf(view: NodeJS.ArrayBufferView): Uint8Array {
  if (view instanceof Uint8Array) return view;
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function encodedOf(value: NodeBytes): Encoded {
  return ArrayBuffer.isView(value) ? bytesOf(value) : value;
}

function keyOf(
  value: NodeBytes | KeyObject | { readonly pem: NodeBytes; readonly passphrase?: string },
): Encoded | EncryptedKey {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return encodedOf(value);
  if ('pem' in value) return { ...value, pem: encodedOf(value.pem) };
  if (value.type === 'private') return value.export({ type: 'pkcs8', format: 'der' });
  throw argumentTypeError('options.key', 'a private key', value);
}

function pfxOf(
  value: NodeBytes | { readonly buf: NodeBytes; readonly passphrase?: string },
): Uint8Array | EncryptedPfx {
  if (typeof value === 'string' || ArrayBuffer.isView(value)) return pfxBytes(value);
  return { ...value, buf: pfxBytes(value.buf) };
}

/** Node writes strings as UTF-8, which spoils DER; but PKCS#12 in a string was never anything else than latin1. */
function pfxBytes(value: NodeBytes): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : bytesOf(value);
}

type CheckIdentity = (servername: string, certificate: LegacyCertificate) => Error | undefined;

/** Node's function replaces the comparison of names, and nothing else. */
function verifyBy(checkServerIdentity: CheckIdentity): VerifyFunction {
  if (typeof checkServerIdentity !== 'function') {
    throw argumentTypeError('options.checkServerIdentity', 'a function', checkServerIdentity);
  }
  return (ssl, { chain, errors, servername, verifyName }) => {
    const [certificate] = chain;
    // Of clients nobody has ever asked it.
    if (ssl.isServer === true || certificate === undefined) return undefined;
    if (!errors.every(isAboutName)) return undefined;
    const refusal = checkServerIdentity(verifyName ?? servername ?? '', legacyObject(ssl, chain));
    return refusal === undefined || !ssl.context.policy.rejectUnauthorized || refusal;
  };
}

/** As of `getPeerCertificate(true)`: each with its issuer, up to one that is its own, where there is one. */
function legacyObject(ssl: Ssl, chain: readonly X509Certificate[]): LegacyCertificate {
  const { verifiedChain } = ssl;
  const certificates = verifiedChain.length > 0 ? verifiedChain : chain;
  let issuer: LegacyCertificate | undefined;
  for (const certificate of [...certificates].reverse()) {
    const object = certificate.toLegacyObject() as LegacyCertificate;
    if (certificate.checkIssued(certificate)) object.issuerCertificate = object;
    else if (issuer !== undefined) object.issuerCertificate = issuer;
    issuer = object;
  }
  return issuer as LegacyCertificate;
}

const protocolPattern = /^(TLSv1|TLSv1_1|TLSv1_2|TLSv1_3|TLS|SSLv23)(_client|_server)?_method$/;

const exactVersions: Readonly<Record<string, TlsVersion>> = {
  TLSv1: 'TLSv1',
  TLSv1_1: 'TLSv1.1',
  TLSv1_2: 'TLSv1.2',
  TLSv1_3: 'TLSv1.3',
};

/** `TLS_method` is any version that the defaults allow, which are stricter than Node's; `SSLv23_method` ends before TLS 1.3, as with Node. */
function setProtocol(name: string, gathered: Gathered): void {
  const family = protocolPattern.exec(name)?.[1];
  if (family === undefined) throw argumentRangeError('options.secureProtocol', 'the name of a TLS method', name);
  const version = exactVersions[family];
  if (family === 'SSLv23') gathered.maxVersion = 'TLSv1.2';
  if (version === undefined) return;
  gathered.minVersion = version;
  gathered.maxVersion = version;
}

/** Bits that are what is done here in any case. */
const alwaysSet: number =
  constants.SSL_OP_NO_SSLv2 |
  constants.SSL_OP_NO_SSLv3 |
  constants.SSL_OP_NO_COMPRESSION |
  // SSL_OP_ENABLE_MIDDLEBOX_COMPAT
  (1 << 20);

const ladder = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const satisfies TlsVersion[];

const versionBits: Readonly<Record<TlsVersion, number>> = {
  TLSv1: constants.SSL_OP_NO_TLSv1,
  'TLSv1.1': constants.SSL_OP_NO_TLSv1_1,
  'TLSv1.2': constants.SSL_OP_NO_TLSv1_2,
  // SSL_OP_NO_TLSv1_3, which not every Node names.
  'TLSv1.3': 1 << 29,
};

function setSecureOptions(bits: number, gathered: Gathered): void {
  checkInteger('options.secureOptions', bits, 0, Number.MAX_SAFE_INTEGER);
  // Operators on bits do not see what is above 32 of them.
  if (bits >= 2 ** 32) throw unsettableBits(bits - (bits % 2 ** 32));
  let left = bits & ~alwaysSet;
  const take = (bit: number): boolean => {
    const isSet = bit !== 0 && (left & bit) === bit;
    left &= ~bit;
    return isSet;
  };
  const refusedVersions = new Set(ladder.filter((version) => take(versionBits[version])));
  if (refusedVersions.size > 0) narrowVersions(refusedVersions, gathered);
  if (take(constants.SSL_OP_NO_TICKET)) gathered.sessionTickets = false;
  if (take(constants.SSL_OP_CIPHER_SERVER_PREFERENCE)) gathered.honorCipherOrder = true;
  // SSL_OP_NO_RENEGOTIATION: the default here.
  take(1 << 30);
  if (left !== 0) throw unsettableBits(left >>> 0);
}

function unsettableBits(bits: number): Error {
  return unsupportedError(`secureOptions: the bits 0x${bits.toString(16)} can not be set here`);
}

function narrowVersions(refused: ReadonlySet<TlsVersion>, gathered: Gathered): void {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3' } = gathered;
  const wanted = ladder.slice(ladder.indexOf(minVersion), ladder.indexOf(maxVersion) + 1);
  const left = wanted.filter((version) => !refused.has(version));
  const [lowest, highest] = [left[0], left[left.length - 1]];
  if (lowest === undefined || highest === undefined) {
    throw argumentRangeError('options.secureOptions', 'such that a version of TLS is left', 'none');
  }
  if (ladder.indexOf(highest) - ladder.indexOf(lowest) !== left.length - 1) {
    throw unsupportedError('secureOptions: versions in the middle can not be left out');
  }
  gathered.minVersion = lowest;
  gathered.maxVersion = highest;
}
