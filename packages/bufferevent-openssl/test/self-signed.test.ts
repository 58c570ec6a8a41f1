import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { createSelfSignedCertificate, SslContext } from '../src/index.js';
import { connectInMemory, describeWithOpenssl } from './in-memory.js';

describeWithOpenssl('self-signed certificates', () => {
  it('have names that are longer than a subject may be', async () => {
    const label = 'x'.repeat(60);
    const long = `${label}.${label}.example`;
    for (const names of [[long], [long, 'localhost']]) {
      const identity = createSelfSignedCertificate({ names });
      const { subject, subjectAltName } = new X509Certificate(identity.cert);
      expect(subject).toBe(`CN=${names[1] ?? 'self-signed certificate'}`);
      expect(subjectAltName).toBe(names.map((name) => `DNS:${name}`).join(', '));
      using client = new SslContext({ ca: identity.cert });
      using server = new SslContext(identity);
      for (const servername of names) {
        const { client: end } = await connectInMemory(client, server, { servername });
        expect(end.failure).toBeNull();
      }
    }
  });

  it('of one name are told apart by a client that trusts several', async () => {
    const identities = [1, 2, 3].map(() => createSelfSignedCertificate());
    using client = new SslContext({ ca: identities.map(({ cert }) => cert) });
    for (const identity of identities) {
      using server = new SslContext(identity);
      const { client: end } = await connectInMemory(client, server, { servername: 'localhost' });
      expect(end.failure).toBeNull();
    }
    using stranger = new SslContext(createSelfSignedCertificate());
    const { client: end } = await connectInMemory(client, stranger, { servername: 'localhost' });
    expect(end.failure).toMatchObject({ code: 'ERR_OPENSSL_VERIFY' });
  });
});
