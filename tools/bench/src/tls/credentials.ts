import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issue, makeAuthority } from 'certificates';
import { buildFolder } from '../native-program.js';

/** Where the workers find them (`servers/tls-terms.mjs`). */
export const credentialsFolder: string = join(buildFolder, 'tls');

/** A trust anchor, and two certificates of it for `localhost`: with a key on P-256, and with one of RSA of 2,048 bits. */
export async function writeCredentials(): Promise<void> {
  mkdirSync(credentialsFolder, { recursive: true });
  const write = (name: string, text: string): void => {
    writeFileSync(join(credentialsFolder, name), text, { mode: 0o600 });
  };
  const ca = await makeAuthority('Bench CA');
  write('ca.pem', ca.certPem);
  for (const key of ['ecdsa', 'rsa'] as const) {
    const { certPem, keyPem } = await issue(ca, { commonName: 'localhost', names: ['localhost'], key });
    write(`${key}.pem`, certPem);
    write(`${key}.key`, keyPem);
  }
}
