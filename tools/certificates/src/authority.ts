// tsyringe, which @peculiar/x509 is built on, wants this before anything else.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
  X509CrlReason,
} from '@peculiar/x509';

/** A certificate with its key, in every form in which programs want it. */
export interface TestCertificate {
  readonly certPem: string;
  readonly certDer: Uint8Array;
  /** PKCS#8, not encrypted. */
  readonly keyPem: string;
  readonly keyDer: Uint8Array;
  /** The certificate and what stands between it and the trust anchor, leaf first. */
  readonly chainPem: string;
  /** Hexadecimal, without a sign. */
  readonly serialNumber: string;
}

/** Who signs certificates and revokes them. */
export interface Authority extends TestCertificate {
  /** @internal */
  readonly certificate: X509Certificate;
  /** @internal */
  readonly keys: webcrypto.CryptoKeyPair;
  /** From its own certificate up, without the trust anchor; empty for one. */
  readonly upwardsPem: string;
}

export type KeyKind = 'ecdsa' | 'rsa';

export interface CertificateSpec {
  readonly commonName: string;
  /** Host names and numeric addresses. */
  readonly names?: readonly string[];
  readonly usages?: readonly ('server' | 'client')[];
  readonly key?: KeyKind;
  /** Days from now; before it for a negative number. Default −1. */
  readonly fromDays?: number;
  /** Default 30. */
  readonly untilDays?: number;
}

const algorithms = {
  ecdsa: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
} as const;

const usageIds = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth } as const;

function days(count: number): Date {
  // Whole seconds: certificates have no finer time.
  return new Date(Math.floor(Date.now() / 1000 + count * 86_400) * 1000);
}

/** Positive and eight bytes long, never with a zero in front. */
function newSerialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  bytes[0] = 0x40 | ((bytes[0] as number) & 0x3f);
  return Buffer.from(bytes).toString('hex');
}

async function makeKeys(kind: KeyKind): Promise<webcrypto.CryptoKeyPair> {
  return (await crypto.subtle.generateKey(algorithms[kind], true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

/** The algorithm of a signature by a key, which its own algorithm completes. */
function signatureBy(keys: webcrypto.CryptoKeyPair): { name: string; hash: string } {
  return { name: keys.privateKey.algorithm.name, hash: 'SHA-256' };
}

async function describe(
  certificate: X509Certificate,
  keys: webcrypto.CryptoKeyPair,
  upwardsPem: string,
): Promise<TestCertificate> {
  const keyDer = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  const certPem = `${certificate.toString('pem')}\n`;
  return {
    certPem,
    certDer: new Uint8Array(certificate.rawData),
    keyPem: `${PemConverter.encode(keyDer, 'PRIVATE KEY')}\n`,
    keyDer,
    chainPem: certPem + upwardsPem,
    serialNumber: certificate.serialNumber,
  };
}

/** Signs the certificate of an authority, or of a new trust anchor when there is no `issuer`. */
export async function makeAuthority(commonName: string, issuer?: Authority): Promise<Authority> {
  const keys = await makeKeys('ecdsa');
  const signing = issuer?.keys ?? keys;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: `CN=${commonName}`,
    issuer: issuer?.certificate.subject ?? `CN=${commonName}`,
    notBefore: days(-2),
    notAfter: days(60),
    publicKey: keys.publicKey,
    signingKey: signing.privateKey,
    signingAlgorithm: signatureBy(signing),
    extensions: [
      new BasicConstraintsExtension(true, issuer === undefined ? undefined : 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(signing.publicKey),
    ],
  });
  const described = await describe(certificate, keys, issuer?.upwardsPem ?? '');
  const upwardsPem = issuer === undefined ? '' : described.chainPem;
  return { ...described, certificate, keys, upwardsPem };
}

export async function issue(issuer: Authority, spec: CertificateSpec): Promise<TestCertificate> {
  const { commonName, names = [], usages = ['server'], key = 'ecdsa', fromDays = -1, untilDays = 30 } = spec;
  const keys = await makeKeys(key);
  const alternatives: JsonGeneralNames = names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }));
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature | (key === 'rsa' ? KeyUsageFlags.keyEncipherment : 0), true),
    new ExtendedKeyUsageExtension(usages.map((usage) => usageIds[usage])),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
  ];
  if (alternatives.length > 0) extensions.push(new SubjectAlternativeNameExtension(alternatives));
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: `CN=${commonName}`,
    issuer: issuer.certificate.subject,
    notBefore: days(fromDays),
    notAfter: days(untilDays),
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: signatureBy(issuer.keys),
    extensions,
  });
  return describe(certificate, keys, issuer.upwardsPem);
}

/** What `issuer` has revoked, in PEM and DER. */
export async function revoke(
  issuer: Authority,
  revoked: readonly TestCertificate[],
): Promise<{ readonly pem: string; readonly der: Uint8Array }> {
  const list = await X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: days(-1),
    nextUpdate: days(30),
    signingAlgorithm: signatureBy(issuer.keys),
    signingKey: issuer.keys.privateKey,
    extensions: [await AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey)],
    entries: revoked.map(({ serialNumber }) => ({
      serialNumber,
      revocationDate: days(-0.5),
      reason: X509CrlReason.keyCompromise,
    })),
  });
  // Its own name for it is one that OpenSSL does not know.
  return { pem: `${PemConverter.encode(list.rawData, 'X509 CRL')}\n`, der: new Uint8Array(list.rawData) };
}
