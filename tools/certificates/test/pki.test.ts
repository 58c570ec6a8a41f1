import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createPfx, createTestPki, encryptKey, hasOpensslProgram, writePki } from '../src/index.js';

const pki = await createTestPki();
const names = ['server', 'serverRsa', 'expired', 'notYetValid', 'wrongHost', 'revoked', 'client'] as const;

describe('the certificates of a process', () => {
  it('are made once', async () => {
    expect(await createTestPki()).toBe(pki);
  });

  it.each(names)('%s is signed by the intermediate, and has its key', (name) => {
    const certificate = new X509Certificate(pki[name].certDer);
    const intermediate = new X509Certificate(pki.intermediate.certPem);
    expect(certificate.verify(intermediate.publicKey)).toBe(true);
    expect(certificate.checkIssued(intermediate)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(pki[name].keyPem))).toBe(true);
  });

  it('lead to the trust anchor, and not to the other one', () => {
    const intermediate = new X509Certificate(pki.intermediate.certDer);
    expect(intermediate.verify(new X509Certificate(pki.ca.certDer).publicKey)).toBe(true);
    const other = new X509Certificate(pki.otherCa.certDer);
    expect(intermediate.verify(other.publicKey)).toBe(false);
    expect(new X509Certificate(pki.untrusted.certDer).verify(other.publicKey)).toBe(true);
  });

  it('name this host and its addresses, or another', () => {
    const certificate = new X509Certificate(pki.server.certPem);
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkIP('::1')).toBe('::1');
    expect(new X509Certificate(pki.wrongHost.certPem).checkHost('localhost')).toBeUndefined();
  });

  it('are valid now, no more, or not yet', () => {
    const isValid = (pem: string): boolean => {
      const { validFrom, validTo } = new X509Certificate(pem);
      return Date.parse(validFrom) < Date.now() && Date.now() < Date.parse(validTo);
    };
    expect(isValid(pki.server.certPem)).toBe(true);
    expect(isValid(pki.expired.certPem)).toBe(false);
    expect(isValid(pki.notYetValid.certPem)).toBe(false);
  });

  it('can be used by Node, with the revocation lists', () => {
    const { chainPem, keyPem } = pki.server;
    expect(() =>
      createSecureContext({ cert: chainPem, key: keyPem, ca: pki.ca.certPem, crl: [pki.crlPem, pki.caCrlPem] }),
    ).not.toThrow();
  });

  it('can have encrypted keys', () => {
    const { pem } = encryptKey(pki.server, 'secret');
    expect(pem).toContain('ENCRYPTED PRIVATE KEY');
    expect(() => createPrivateKey(pem)).toThrow();
    expect(createPrivateKey({ key: pem, passphrase: 'secret' }).asymmetricKeyType).toBe('ec');
  });

  it('can be packed as PKCS#12', () => {
    if (!hasOpensslProgram('PKCS#12')) return;
    const pfx = Buffer.from(createPfx(pki.server, 'secret'));
    expect(() => createSecureContext({ pfx, passphrase: 'secret' })).not.toThrow();
    expect(() => createSecureContext({ pfx, passphrase: 'wrong' })).toThrow();
  });

  it('can be written for other programs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pki-'));
    try {
      const files = writePki(pki, folder);
      expect(readFileSync(files.server.chain, 'utf8')).toBe(pki.server.certPem + pki.intermediate.certPem);
      expect(readFileSync(files.ca, 'utf8')).toBe(pki.ca.certPem);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
