import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPfx, createTestPki, type TestCertificate, writePki } from 'certificates';

/** Files of one end. */
export interface Identity {
  readonly commonName: string;
  /** The certificate and the intermediate one that has signed it, PEM. */
  readonly certificate: string;
  /** PKCS#8, PEM. */
  readonly key: string;
  /** All of it, under {@link Credentials.password}. */
  readonly pkcs12: string;
}

/** Paths of files that programs take. */
export interface Credentials extends Disposable {
  /** Removed in the end, with whatever else is put there. */
  readonly folder: string;
  readonly ca: string;
  readonly intermediate: string;
  readonly password: string;
  /** For `localhost`. */
  readonly server: Identity;
  readonly client: Identity;
}

export async function createCredentials(): Promise<Credentials> {
  const folder = mkdtempSync(join(tmpdir(), 'interop-'));
  const pki = await createTestPki();
  const files = writePki(pki, folder);
  const password = 'interop';
  const identity = (name: 'server' | 'client', commonName: string): Identity => {
    const { chain, key } = files[name];
    return { commonName, certificate: chain, key, pkcs12: writePfx(join(folder, `${name}.p12`), pki[name], password) };
  };
  return {
    folder,
    ca: files.ca,
    intermediate: files.intermediate,
    password,
    server: identity('server', 'localhost'),
    client: identity('client', 'Test Client'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function writePfx(path: string, certificate: TestCertificate, password: string): string {
  writeFileSync(path, createPfx(certificate, password), { mode: 0o600 });
  return path;
}
