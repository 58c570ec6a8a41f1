import { type Authority, issue, makeAuthority, revoke, type TestCertificate } from './authority.js';

/**
 *     ca ── intermediate ─┬─ server, serverRsa, expired, notYetValid, wrongHost, revoked
 *                         └─ client, revokedClient
 *     otherCa ────────────── untrusted, untrustedClient
 *
 * Servers are named `localhost`, `127.0.0.1` and `::1`, except `wrongHost`, which is `wrong.example`.
 */
export interface TestPki {
  /** The trust anchor. */
  readonly ca: Authority;
  readonly intermediate: Authority;
  readonly otherCa: Authority;
  readonly server: TestCertificate;
  readonly serverRsa: TestCertificate;
  readonly expired: TestCertificate;
  readonly notYetValid: TestCertificate;
  readonly wrongHost: TestCertificate;
  readonly revoked: TestCertificate;
  readonly client: TestCertificate;
  readonly revokedClient: TestCertificate;
  /** For servers of a name of their own (SNI): `other.example`. */
  readonly otherHost: TestCertificate;
  readonly untrusted: TestCertificate;
  readonly untrustedClient: TestCertificate;
  /** What the intermediate has revoked: `revoked` and `revokedClient`. */
  readonly crlPem: string;
  readonly crlDer: Uint8Array;
  /** Of the trust anchor, which has revoked nothing: who checks whole chains needs it too. */
  readonly caCrlPem: string;
}

const here = ['localhost', '127.0.0.1', '::1'];
let made: Promise<TestPki> | undefined;

/** The certificates of this process, made at the first call. Keys are new in each process. */
export function createTestPki(): Promise<TestPki> {
  made ??= make();
  return made;
}

async function make(): Promise<TestPki> {
  const [ca, otherCa] = await Promise.all([makeAuthority('Test CA'), makeAuthority('Other CA')]);
  const intermediate = await makeAuthority('Test Intermediate', ca);
  const [server, serverRsa, expired, notYetValid, wrongHost, otherHost, revoked, client, revokedClient] =
    await Promise.all([
      issue(intermediate, { commonName: 'localhost', names: here }),
      issue(intermediate, { commonName: 'localhost', names: here, key: 'rsa' }),
      issue(intermediate, { commonName: 'localhost', names: here, fromDays: -20, untilDays: -10 }),
      issue(intermediate, { commonName: 'localhost', names: here, fromDays: 10, untilDays: 20 }),
      issue(intermediate, { commonName: 'wrong.example', names: ['wrong.example'] }),
      issue(intermediate, { commonName: 'other.example', names: ['other.example'] }),
      issue(intermediate, { commonName: 'localhost', names: here }),
      issue(intermediate, { commonName: 'Test Client', usages: ['client'] }),
      issue(intermediate, { commonName: 'Revoked Client', usages: ['client'] }),
    ]);
  const [untrusted, untrustedClient, crl, caCrl] = await Promise.all([
    issue(otherCa, { commonName: 'localhost', names: here }),
    issue(otherCa, { commonName: 'Untrusted Client', usages: ['client'] }),
    revoke(intermediate, [revoked, revokedClient]),
    revoke(ca, []),
  ]);
  return {
    ca,
    intermediate,
    otherCa,
    server,
    serverRsa,
    expired,
    notYetValid,
    wrongHost,
    otherHost,
    revoked,
    client,
    revokedClient,
    untrusted,
    untrustedClient,
    crlPem: crl.pem,
    crlDer: crl.der,
    caCrlPem: caCrl.pem,
  };
}
