import { spawnSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestCertificate } from './authority.js';

/** The key of a certificate in PKCS#8, encrypted with AES-256. */
export function encryptKey(
  certificate: TestCertificate,
  passphrase: string,
): { readonly pem: string; readonly der: Uint8Array } {
  const key = createPrivateKey(certificate.keyPem);
  const protection = { type: 'pkcs8', cipher: 'aes-256-cbc', passphrase } as const;
  return {
    pem: key.export({ ...protection, format: 'pem' }) as string,
    der: new Uint8Array(key.export({ ...protection, format: 'der' })),
  };
}

let programFound: boolean | undefined;

/**
 * Whether the `openssl` program can be run. Where it is missing, one line says what is skipped for it; with
 * REQUIRE_TOOLS=1 that is an error.
 */
export function hasOpensslProgram(what: string): boolean {
  programFound ??= spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;
  if (programFound) return true;
  if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(`${what}: openssl not found`);
  console.warn(`skipped: ${what}: openssl not found`);
  return false;
}

/**
 * Key, certificate and chain in PKCS#12, made by the `openssl` program (see {@link hasOpensslProgram}).
 *
 * @param extraPem more certificates to be carried, for instance the trust anchor
 */
export function createPfx(certificate: TestCertificate, passphrase: string, extraPem = ''): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'pfx-'));
  try {
    const [key, chain, output] = ['key.pem', 'chain.pem', 'bundle.p12'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(key, certificate.keyPem, { mode: 0o600 });
    writeFileSync(chain, certificate.chainPem + extraPem);
    const words = ['pkcs12', '-export', '-inkey', key, '-in', chain, '-out', output, '-passout', `pass:${passphrase}`];
    const { status, stderr } = spawnSync('openssl', words, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl pkcs12 failed: ${stderr}`);
    return new Uint8Array(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
