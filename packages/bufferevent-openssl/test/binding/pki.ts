import { createPfx, createTestPki, hasOpensslProgram, issue, type TestCertificate } from 'certificates';
import type { Pki } from './peer.mjs';

const pair = ({ keyPem, chainPem }: TestCertificate): { key: string; chain: string } => ({
  key: keyPem,
  chain: chainPem,
});

/** The certificates of the scenes. */
export async function makePki(): Promise<Pki> {
  const pki = await createTestPki();
  const pfx = hasOpensslProgram('PKCS#12')
    ? Buffer.from(createPfx(pki.server, 'geheim', pki.ca.certPem)).toString('base64')
    : null;
  return {
    server: pair(pki.server),
    serverRsa: pair(pki.serverRsa),
    expired: pair(pki.expired),
    wrongHost: pair(pki.wrongHost),
    otherHost: pair(pki.otherHost),
    revoked: pair(pki.revoked),
    client: pair(pki.client),
    untrusted: pair(pki.untrusted),
    addressInSubject: pair(await issue(pki.intermediate, { commonName: '127.0.0.1' })),
    ca: pki.ca.certPem,
    crl: pki.crlPem,
    caCrl: pki.caCrlPem,
    pfx,
  };
}
