import { expect, it } from 'vitest';
import { createSelfSignedCertificate, SslContext } from '../src/index.js';
import { connectInMemory, describeWithOpenssl } from './in-memory.js';

describeWithOpenssl('self-signed certificates', () => {
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
