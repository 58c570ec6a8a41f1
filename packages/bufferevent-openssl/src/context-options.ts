import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { argumentRangeError, argumentTypeError, checkInteger, checkOptionNames } from 'bufferevent-backend';
import { type AlpnProtocols, encodeAlpn } from './alpn.js';
import { unsupportedError } from './errors.js';
import type { KeyLogFunction } from './key-log.js';
import type { SslContext } from './ssl-context.js';
import { joinTicketKeys } from './ticket-keys.js';
import type { VerifyFunction } from './verify.js';

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** PEM as text, or PEM or DER as bytes. Bytes are copied. */
export type Encoded = string | Uint8Array;

/** A private key with its own passphrase, named as in `node:tls`. */
export interface EncryptedKey {
  readonly pem: Encoded;
  readonly passphrase?: string;
}

/** A PKCS#12 bundle with its own passphrase, named as in `node:tls`. */
export interface EncryptedPfx {
  readonly buf: Uint8Array;
  readonly passphrase?: string;
}

export type FilePath = string | URL;
export type OneOrMore<T> = T | readonly T[];

/** A client says who it is; a server knows many. Keys are secret bytes, at least 16 of them to be worth anything. */
export type PskOptions =
  | { readonly identity: string; readonly key: Uint8Array }
  | {
      readonly identities: ReadonlyMap<string, Uint8Array> | Readonly<Record<string, Uint8Array>>;
      /** Told to clients of TLS 1.2. */
      readonly hint?: string;
    };

export interface ClientHelloInfo {
  /** The host name that the client asks for (SNI), or `null`. Nobody has checked what it looks like. */
  readonly servername: string | null;
  readonly alpnProtocols: readonly string[];
}

/**
 * Chooses a context by what the client has said at first: everything of the connection, certificates, versions, ciphers,
 * verification, is then that of the context. `null` stays with the one of the listener. What it throws or rejects with
 * refuses the client. A promise makes this handshake wait, within its time-out; `signal` is aborted when the connection
 * is gone meanwhile.
 */
export type ClientHelloFunction = (
  hello: ClientHelloInfo,
  signal: AbortSignal,
) => SslContext | null | Promise<SslContext | null>;

/**
 * How {@link SslContext} is set up. Names are those of `node:tls` where the thing is the same. Every one of them has its
 * say: unknown names are refused. There is none for early data (0-RTT): what arrives in it could be replayed, and it is
 * refused.
 */
export interface SslContextOptions {
  // Who we are

  /** Private keys, one for each kind of certificate. */
  readonly key?: OneOrMore<Encoded | EncryptedKey>;
  readonly keyFile?: OneOrMore<FilePath>;
  /** Certificates, each followed by its chain, leaf first, without the trust anchor. */
  readonly cert?: OneOrMore<Encoded>;
  readonly certFile?: OneOrMore<FilePath>;
  /** Key, certificate and chain in one (PKCS#12, DER). */
  readonly pfx?: OneOrMore<Uint8Array | EncryptedPfx>;
  readonly pfxFile?: OneOrMore<FilePath>;
  /** For the keys and bundles that are encrypted and have none of their own. Nobody is ever asked at the terminal. */
  readonly passphrase?: string;

  // Whom we trust

  /**
   * Trust anchors, instead of the default: those of Node for clients, none for servers, also when one context is used for
   * both. An empty list trusts nobody.
   */
  readonly ca?: OneOrMore<Encoded>;
  readonly caFile?: OneOrMore<FilePath>;
  /** Take the other certificates in `pfx` for trust anchors beside these, as `node:tls` does. Default false. */
  readonly trustPfx?: boolean;
  /** Revocation lists. With any, a certificate that no valid list covers is not accepted. */
  readonly crl?: OneOrMore<Encoded>;
  readonly crlFile?: OneOrMore<FilePath>;
  /** Which certificates of a chain revocation lists are needed for. Default `chain`: all below the trust anchor. */
  readonly crlCheck?: 'leaf' | 'chain';
  /** Let certificates in `ca` that are not self-signed end a chain. Default false. */
  readonly allowPartialTrustChain?: boolean;
  /** Servers: ask clients for a certificate. Default false. Clients always get one to see. */
  readonly requestCert?: boolean;
  /**
   * Give connections up whose peer is not verified; of a server that asks for certificates also those without one.
   * Default true. With false look at `ssl.verifyError` yourself, or anybody can stand in the middle.
   */
  readonly rejectUnauthorized?: boolean;
  /** The last word on the peer, see {@link VerifyFunction}. */
  readonly verify?: VerifyFunction;

  // What is spoken

  /** Default `TLSv1.2`. What is older also needs `securityLevel: 0`. */
  readonly minVersion?: TlsVersion;
  /** Default `TLSv1.3`. */
  readonly maxVersion?: TlsVersion;
  /**
   * A list in OpenSSL's format; names that begin with `TLS_` are the suites of TLS 1.3, others are of the versions
   * before. As in `node:tls`, a list with only one of the two kinds limits the versions to it. Default: Node's own list.
   */
  readonly ciphers?: string;
  /** Groups for the key exchange, best first: `X25519:P-256`. Default OpenSSL's. */
  readonly groups?: string;
  /** Signature algorithms, best first: `ecdsa_secp256r1_sha256:RSA-PSS+SHA256`. Default OpenSSL's. */
  readonly sigalgs?: string;
  /** What keys and algorithms must be good for: 0 to 5, see `SSL_CTX_set_security_level`. Default 2, that is 112 bits. */
  readonly securityLevel?: number;
  /** Servers choose the cipher by their own order. Default true. */
  readonly honorCipherOrder?: boolean;
  /** Parameters for finite-field Diffie-Hellman of TLS 1.2. Default `auto`: as strong as the key. */
  readonly dhparam?: Encoded;
  /** What a client offers. What a server chooses from, by its own order; clients with nothing in common are refused. */
  readonly ALPNProtocols?: AlpnProtocols;
  /** Servers: choose another context for a client. */
  readonly onClientHello?: ClientHelloFunction;
  readonly psk?: PskOptions;
  /**
   * Whether a peer may ask for a new handshake on a connection (TLS 1.2 and below), how often at most. It costs a server
   * more than its client, and was the way into several attacks. Default `refuse`.
   */
  readonly renegotiation?: 'refuse' | { readonly perMinute: number };
  /** Servers: the OCSP response (DER) that is stapled for clients that ask. */
  readonly ocspResponse?: Uint8Array;

  // Sessions

  /**
   * Sessions are resumed only where this is the same; at most 32 bytes. What decides on clients (`requestCert`,
   * `rejectUnauthorized`, whether there is a `verify`, `ca`, `crl`, bundles with `trustPfx`, `securityLevel`, …) has to be
   * the same in any case, so that nobody resumes a session into a server that would have refused it.
   */
  readonly sessionIdContext?: string | Uint8Array;
  /** How long a session can be resumed, in seconds. Default 300. */
  readonly sessionTimeout?: number;
  /** Sessions that a server keeps for clients that take no tickets. Default 1024; 0 for none. */
  readonly sessionCacheSize?: number;
  /** Servers: give clients tickets to resume with. Default true. */
  readonly sessionTickets?: boolean;
  /** Servers: tickets after each handshake of TLS 1.3. Default 2. */
  readonly ticketCount?: number;
  /**
   * Keys of 80 bytes for tickets (`createTicketKey()`), to be shared by processes: the first makes new tickets, all
   * open them. Default: one of the context's own.
   */
  readonly ticketKeys?: OneOrMore<Uint8Array>;

  // Looking inside

  /** Gets, or is the file that is appended to with, the secrets of all connections. Who has them can read everything. */
  readonly keyLog?: KeyLogFunction | FilePath;
  /** Take the name of that file from the environment (`SSLKEYLOGFILE`), where it is set. Default false. */
  readonly keyLogFromEnvironment?: boolean;
}

/** Bytes that may be encrypted. */
export interface SecretBytes {
  readonly bytes: Uint8Array;
  readonly passphrase: Uint8Array | null;
}

/** What the options name, with the files read. */
export interface Materials {
  readonly keys: readonly SecretBytes[];
  readonly certificates: readonly Uint8Array[];
  readonly pfxs: readonly SecretBytes[];
  readonly authorities: readonly Uint8Array[];
  readonly revocations: readonly Uint8Array[];
}

type Check = (name: string, value: unknown) => void;

const checkBoolean: Check = (name, value) => {
  if (typeof value !== 'boolean') throw argumentTypeError(name, 'a boolean', value);
};

const checkText: Check = (name, value) => {
  if (typeof value !== 'string') throw argumentTypeError(name, 'a string', value);
  if (value === '' || value.includes('\0')) throw argumentRangeError(name, 'not empty, without NUL', value);
};

const checkFunction: Check = (name, value) => {
  if (typeof value !== 'function') throw argumentTypeError(name, 'a function', value);
};

const checkBytes: Check = (name, value) => {
  if (!(value instanceof Uint8Array)) throw argumentTypeError(name, 'a Uint8Array', value);
};

const checkEncoded: Check = (name, value) => {
  if (value instanceof Uint8Array) return;
  if (typeof value !== 'string') throw argumentTypeError(name, 'PEM as a string, or a Uint8Array', value);
  // A path, most likely: without this OpenSSL would say "no start line". The value may be a secret and is not shown.
  if (!value.includes('-----BEGIN ')) {
    throw argumentTypeError(name, 'PEM text; names of files have options of their own', 'other text');
  }
};

const checkPath: Check = (name, value) => {
  if (typeof value !== 'string' && !(value instanceof URL))
    throw argumentTypeError(name, 'a path or a file URL', value);
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
}

const checkKey: Check = (name, value) => {
  if (!isObject(value)) return checkEncoded(name, value);
  checkEncoded(`${name}.pem`, value['pem']);
  if (value['passphrase'] !== undefined) checkPassphrase(`${name}.passphrase`, value['passphrase']);
};

const checkPfx: Check = (name, value) => {
  if (!isObject(value)) return checkBytes(name, value);
  checkBytes(`${name}.buf`, value['buf']);
  if (value['passphrase'] !== undefined) checkPassphrase(`${name}.passphrase`, value['passphrase']);
};

/** An empty one is one too. */
const checkPassphrase: Check = (name, value) => {
  if (typeof value !== 'string') throw argumentTypeError(name, 'a string', typeof value);
};

const each =
  (check: Check): Check =>
  (name, value) => {
    if (!Array.isArray(value)) return check(name, value);
    value.forEach((item, index) => {
      check(`${name}[${index}]`, item);
    });
  };

const oneOf =
  (...allowed: readonly string[]): Check =>
  (name, value) => {
    if (!allowed.includes(value as string)) throw argumentTypeError(name, `one of ${allowed.join(', ')}`, value);
  };

const integer =
  (least: number, most: number): Check =>
  (name, value) => {
    checkInteger(name, value as number, least, most);
  };

const checkPsk: Check = (name, value) => {
  if (!isObject(value)) throw argumentTypeError(name, '{ identity, key } or { identities }', typeof value);
  if ('identities' in value) {
    for (const one of ['identity', 'key']) {
      if (value[one] !== undefined) throw argumentTypeError(`${name}.${one}`, 'left out beside identities', 'one');
    }
    for (const [identity, key] of pskEntries(value['identities'] as never)) {
      checkText(`${name}.identities`, identity);
      checkPskKey(`${name}.identities`, key);
    }
    if (value['hint'] !== undefined) checkText(`${name}.hint`, value['hint']);
  } else {
    checkText(`${name}.identity`, value['identity']);
    checkPskKey(`${name}.key`, value['key']);
  }
};

/** 256 bytes are what OpenSSL takes for TLS 1.2 (`PSK_MAX_PSK_LEN`). */
const checkPskKey: Check = (name, value) => {
  if (!(value instanceof Uint8Array)) throw argumentTypeError(name, 'a Uint8Array', typeof value);
  if (value.length === 0 || value.length > 256) {
    throw argumentRangeError(name, '1 to 256 bytes long', `${value.length} bytes`);
  }
};

/** @internal */
export function pskEntries(
  identities: ReadonlyMap<string, Uint8Array> | Readonly<Record<string, Uint8Array>>,
): [identity: string, key: Uint8Array][] {
  if (identities instanceof Map) return [...identities];
  if (!isObject(identities)) throw argumentTypeError('psk.identities', 'a Map or an object', identities);
  return Object.entries(identities);
}

const versions: Readonly<Record<TlsVersion, number>> = {
  TLSv1: 0x0301,
  'TLSv1.1': 0x0302,
  'TLSv1.2': 0x0303,
  'TLSv1.3': 0x0304,
};
const checkVersion = oneOf(...Object.keys(versions));

/** @internal */
export function versionNumber(version: TlsVersion): number {
  return versions[version];
}

const checks: { readonly [Name in keyof Required<SslContextOptions>]: Check } = {
  key: each(checkKey),
  keyFile: each(checkPath),
  cert: each(checkEncoded),
  certFile: each(checkPath),
  pfx: each(checkPfx),
  pfxFile: each(checkPath),
  passphrase: checkPassphrase,
  ca: each(checkEncoded),
  caFile: each(checkPath),
  trustPfx: checkBoolean,
  crl: each(checkEncoded),
  crlFile: each(checkPath),
  crlCheck: oneOf('leaf', 'chain'),
  allowPartialTrustChain: checkBoolean,
  requestCert: checkBoolean,
  rejectUnauthorized: checkBoolean,
  verify: checkFunction,
  minVersion: checkVersion,
  maxVersion: checkVersion,
  ciphers: checkText,
  groups: checkText,
  sigalgs: checkText,
  securityLevel: integer(0, 5),
  honorCipherOrder: checkBoolean,
  dhparam: checkEncoded,
  ALPNProtocols: (name, value) => {
    encodeAlpn(name, value);
  },
  onClientHello: checkFunction,
  psk: checkPsk,
  renegotiation: (name, value) => {
    if (value === 'refuse') return;
    if (!isObject(value)) throw argumentTypeError(name, "'refuse' or { perMinute }", value);
    checkInteger(`${name}.perMinute`, value['perMinute'] as number, 1, 1_000_000);
  },
  ocspResponse: checkBytes,
  sessionIdContext: (name, value) => {
    if (typeof value !== 'string') checkBytes(name, value);
    const { length } = textBytes(value as string | Uint8Array);
    if (length === 0 || length > 32) throw argumentRangeError(name, '1 to 32 bytes long', `${length} bytes`);
  },
  sessionTimeout: integer(1, 2 ** 31 - 1),
  sessionCacheSize: integer(0, 2 ** 31 - 1),
  sessionTickets: checkBoolean,
  ticketCount: integer(0, 255),
  ticketKeys: (name, value) => {
    joinTicketKeys(name, value);
  },
  keyLog: (name, value) => {
    if (typeof value !== 'function') checkPath(name, value);
  },
  keyLogFromEnvironment: checkBoolean,
};

/** @internal Every name of {@link SslContextOptions}: for calls that take the options of other things beside them. */
export const contextNames: object = checks;

/** Throws `TypeError` or `RangeError` for options that are unknown, of the wrong kind, or don't go together. */
export function checkContextOptions(options: SslContextOptions): void {
  if (!isObject(options)) throw argumentTypeError('options', 'an object', options);
  if ('earlyData' in options) throw unsupportedError('early data (0-RTT) is refused: it could be replayed');
  checkOptionNames('options', options, checks);
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) checks[name as keyof typeof checks](`options.${name}`, value);
  }
  const given: SslContextOptions = options;
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3' } = given;
  if (versions[minVersion] > versions[maxVersion]) {
    if (given.minVersion !== undefined)
      throw argumentRangeError('options.minVersion', `at most ${maxVersion}`, minVersion);
    throw argumentRangeError('options.maxVersion', `at least minVersion, by default ${minVersion}`, maxVersion);
  }
  checkCompany(options);
  checkTrust(options);
}

/** What would be about nothing was meant to be about something. */
function checkCompany({ crlCheck, crl, crlFile, trustPfx, pfx, pfxFile }: SslContextOptions): void {
  if (crlCheck !== undefined && crl === undefined && crlFile === undefined) {
    throw argumentTypeError('options.crlCheck', 'left out without crl and crlFile', crlCheck);
  }
  if (trustPfx === true && pfx === undefined && pfxFile === undefined) {
    throw argumentTypeError('options.trustPfx', 'left out without pfx and pfxFile', trustPfx);
  }
}

/** Of clients: the public authorities, which sign for anybody, would say nothing about them. */
function checkTrust(options: SslContextOptions): void {
  const { requestCert, rejectUnauthorized, verify, ca, caFile, trustPfx, pfx, pfxFile } = options;
  if (requestCert !== true || rejectUnauthorized === false || verify !== undefined) return;
  const isTrustGiven = !isEmpty(ca) || !isEmpty(caFile) || (trustPfx === true && !(isEmpty(pfx) && isEmpty(pfxFile)));
  if (isTrustGiven) return;
  throw argumentTypeError('options.ca', 'given with requestCert: who signs the certificates of clients', ca);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

/** @internal Throws for anything but PSK options. */
export function checkPskOptions(psk: PskOptions): void {
  checkPsk('psk', psk);
}

/** @internal */
export function textBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

function listOf<T>(value: OneOrMore<T> | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** Reads the files while everything else in the thread waits. What the system says when it can't comes as it is. */
export function readMaterials(options: SslContextOptions): Materials {
  return collect(options, (path) => readFileSync(path));
}

/** As {@link readMaterials}, without making anybody wait. */
export async function loadMaterials(options: SslContextOptions): Promise<Materials> {
  const { keyFile, certFile, pfxFile, caFile, crlFile } = options;
  const paths = [keyFile, certFile, pfxFile, caFile, crlFile].flatMap((files) => listOf<FilePath>(files));
  const contents = await Promise.all(paths.map((path) => readFile(path)));
  const read = new Map(paths.map((path, index) => [path, contents[index] as Uint8Array]));
  return collect(options, (path) => read.get(path) as Uint8Array);
}

function collect(options: SslContextOptions, read: (path: FilePath) => Uint8Array): Materials {
  const common = options.passphrase === undefined ? null : Buffer.from(options.passphrase);
  const own = (passphrase: string | undefined): Uint8Array | null =>
    passphrase === undefined ? common : Buffer.from(passphrase);
  const fromFiles = (files: OneOrMore<FilePath> | undefined): Uint8Array[] => listOf(files).map(read);
  const secretFiles = (files: OneOrMore<FilePath> | undefined): SecretBytes[] =>
    fromFiles(files).map((bytes) => ({ bytes, passphrase: common }));
  const keys = listOf<Encoded | EncryptedKey>(options.key).map((key): SecretBytes => {
    if (typeof key === 'string' || key instanceof Uint8Array) return { bytes: textBytes(key), passphrase: common };
    return { bytes: textBytes(key.pem), passphrase: own(key.passphrase) };
  });
  const pfxs = listOf<Uint8Array | EncryptedPfx>(options.pfx).map((pfx): SecretBytes => {
    if (pfx instanceof Uint8Array) return { bytes: pfx, passphrase: common };
    return { bytes: pfx.buf, passphrase: own(pfx.passphrase) };
  });
  const encoded = (values: OneOrMore<Encoded> | undefined, files: OneOrMore<FilePath> | undefined): Uint8Array[] => [
    ...listOf<Encoded>(values).map(textBytes),
    ...fromFiles(files),
  ];
  return {
    keys: [...keys, ...secretFiles(options.keyFile)],
    certificates: encoded(options.cert, options.certFile),
    pfxs: [...pfxs, ...secretFiles(options.pfxFile)],
    authorities: encoded(options.ca, options.caFile),
    revocations: encoded(options.crl, options.crlFile),
  };
}
