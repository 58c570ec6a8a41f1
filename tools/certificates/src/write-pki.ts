import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCertificate } from './authority.js';
import type { TestPki } from './pki.js';

/** Where the files of one certificate are, for programs that are given them on the command line. */
export interface CertificateFiles {
  /** Leaf only. */
  readonly cert: string;
  /** Leaf and intermediate. */
  readonly chain: string;
  /** PKCS#8, not encrypted, readable by the owner only. */
  readonly key: string;
}

const leaves = [
  'server',
  'serverRsa',
  'expired',
  'notYetValid',
  'wrongHost',
  'otherHost',
  'revoked',
  'client',
  'revokedClient',
  'untrusted',
  'untrustedClient',
] as const satisfies readonly (keyof TestPki)[];

export interface PkiFiles extends Readonly<Record<(typeof leaves)[number], CertificateFiles>> {
  readonly ca: string;
  readonly intermediate: string;
  readonly otherCa: string;
  /** Revocation lists of the intermediate and of the trust anchor, one after the other. */
  readonly crl: string;
}

/** Writes everything as PEM into a folder that exists; the caller removes it. */
export function writePki(pki: TestPki, folder: string): PkiFiles {
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const writeLeaf = (name: string, certificate: TestCertificate): CertificateFiles => ({
    cert: write(`${name}.pem`, certificate.certPem),
    chain: write(`${name}-chain.pem`, certificate.chainPem),
    key: write(`${name}.key`, certificate.keyPem),
  });
  const written = Object.fromEntries(leaves.map((name) => [name, writeLeaf(name, pki[name])]));
  return {
    ...(written as Record<(typeof leaves)[number], CertificateFiles>),
    ca: write('ca.pem', pki.ca.certPem),
    intermediate: write('intermediate.pem', pki.intermediate.certPem),
    otherCa: write('other-ca.pem', pki.otherCa.certPem),
    crl: write('crl.pem', pki.crlPem + pki.caCrlPem),
  };
}
