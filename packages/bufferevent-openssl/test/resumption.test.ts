import { createPfx, hasOpensslProgram, issue } from 'certificates';
import { expect, it } from 'vitest';
import { createTicketKey, SslContext, type SslContextOptions, type SslOptions } from '../src/index.js';
import { clientContext, connectInMemory, describeWithOpenssl, pki, serverContext } from './in-memory.js';
import { until } from './support/wait.js';

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
const key = new Uint8Array(32).fill(7);
const untrusted = { cert: pki.untrustedClient.chainPem, key: pki.untrustedClient.keyPem };

async function sessionOf(client: SslContext, server: SslContext, options: SslOptions): Promise<Uint8Array> {
  const sessions: Uint8Array[] = [];
  const onSession = (bytes: Uint8Array): void => void sessions.push(bytes);
  const ends = await connectInMemory(client, server, { ...options, onSession });
  expect([ends.client.failure, ends.server.failure]).toEqual([null, null]);
  await Promise.resolve();
  const last = sessions.at(-1);
  if (last === undefined) throw new Error('there was no session');
  return last;
}

describeWithOpenssl('a session in which no certificate was shown', () => {
  const contexts = (maxVersion: (typeof versions)[number]): { server: SslContext; known: SslContext } => ({
    server: new SslContext({ psk: { identities: { mia: key } }, maxVersion }),
    known: clientContext({ psk: { identity: 'mia', key }, maxVersion }),
  });

  it.each(versions)('%s: is refused by a client that has no pre-shared key either', async (maxVersion) => {
    const { server, known } = contexts(maxVersion);
    const session = await sessionOf(known, server, { verifyName: null });
    for (const options of [{}, { verify: () => undefined }]) {
      using stranger = clientContext({ ca: pki.otherCa.certPem, maxVersion, ...options });
      const ends = await connectInMemory(stranger, server, { servername: 'bank.example', session });
      // TLS 1.2 has ciphers of their own for these keys, which the client does not offer.
      const code = maxVersion === 'TLSv1.2' ? 'ERR_OPENSSL_HANDSHAKE' : 'ERR_OPENSSL_VERIFY';
      expect(ends.client.failure).toMatchObject({ code });
    }
  });

  it.each(versions)('%s: is resumed by a client with the key that it stands for', async (maxVersion) => {
    const { server, known } = contexts(maxVersion);
    const session = await sessionOf(known, server, { verifyName: null });
    const ends = await connectInMemory(known, server, { verifyName: null, session });
    expect([ends.client.failure, ends.server.failure]).toEqual([null, null]);
    expect(ends.client.ssl.isSessionReused).toBe(true);
    expect(ends.client.ssl.verifyError).toBeNull();
  });
});

describeWithOpenssl('a session, brought to a server that lets clients in by pre-shared keys', () => {
  it.each(versions)('%s: of a server that lets in everybody is not resumed', async (maxVersion) => {
    const ticketKeys = createTicketKey();
    using everybody = serverContext({ ticketKeys, maxVersion });
    using server = new SslContext({ psk: { identities: { mia: key } }, ticketKeys, maxVersion });
    // TLS 1.3 resumes with ciphers of the same hash only.
    using stranger = clientContext({ ciphers: 'DEFAULT:TLS_CHACHA20_POLY1305_SHA256', maxVersion });
    const session = await sessionOf(stranger, everybody, { servername: 'localhost' });
    const ends = await connectInMemory(stranger, server, { servername: 'localhost', session });
    expect(ends.server.failure).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE' });
  });

  it.each(versions)('%s: of an identity that was taken away is not resumed', async (maxVersion) => {
    using server = new SslContext({ psk: { identities: { mia: key, tom: key } }, maxVersion });
    using known = clientContext({ psk: { identity: 'mia', key }, maxVersion });
    const session = await sessionOf(known, server, { verifyName: null });
    server.setPsk({ identities: { tom: key } });
    const ends = await connectInMemory(known, server, { verifyName: null, session });
    expect(ends.server.failure).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE' });
  });
});

describeWithOpenssl('a ticket of TLS 1.3 that a resumed connection was given', () => {
  it.each<[string, SslContextOptions]>([
    ['tickets', {}],
    ['tickets with keys of the user', { ticketKeys: createTicketKey() }],
    ['the cache', { sessionTickets: false }],
  ])('ends with the time of the first one: by %s', async (_, options) => {
    using server = serverContext({ sessionTimeout: 1, ...options });
    using client = clientContext();
    const resumed = async (session: Uint8Array): Promise<[boolean, Uint8Array]> => {
      let next = session;
      const onSession = (bytes: Uint8Array): void => {
        next = bytes;
      };
      const ends = await connectInMemory(client, server, { servername: 'localhost', session, onSession });
      await Promise.resolve();
      return [ends.server.ssl.isSessionReused, next];
    };
    // `time()` lags some milliseconds behind.
    const seconds = (): number => Math.floor((Date.now() - 50) / 1000);
    // Where the machine stands still for a second, it is too late for the first one.
    for (let reused = false; !reused; ) {
      const verifiedAt = seconds();
      const first = await sessionOf(client, server, { servername: 'localhost' });
      await until(() => seconds() > verifiedAt, 'the next second');
      const [isResumed, second] = await resumed(first);
      reused = isResumed;
      expect(second).not.toEqual(first);
      if (reused) expect(await resumed(second)).toEqual([false, expect.any(Uint8Array)]);
    }
  });
});

describeWithOpenssl('a session of one server, brought to another with its ticket keys', () => {
  async function isResumed(first: SslContextOptions, second: SslContextOptions): Promise<boolean> {
    const ticketKeys = createTicketKey();
    using other = serverContext({ ...first, ticketKeys });
    using server = serverContext({ ...second, ticketKeys });
    using client = clientContext(untrusted);
    const session = await sessionOf(client, other, { servername: 'localhost' });
    return (await connectInMemory(client, server, { servername: 'localhost', session })).server.ssl.isSessionReused;
  }

  const ca = pki.otherCa.certPem;
  const lax = { ca, requestCert: true } as const;

  it('is resumed where clients are judged alike', async () => {
    expect(await isResumed(lax, lax)).toBe(true);
    expect(await isResumed({ ...lax, sessionIdContext: 'ours' }, { ...lax, sessionIdContext: 'ours' })).toBe(true);
    expect(await isResumed({ ...lax, sessionIdContext: 'ours' }, { ...lax, sessionIdContext: 'yours' })).toBe(false);
  });

  it.each<[string, SslContextOptions, SslContextOptions]>([
    [
      'asks for certificates, under the same sessionIdContext',
      { sessionIdContext: 'ours' },
      { ...lax, sessionIdContext: 'ours' },
    ],
    [
      'trusts others, under the same sessionIdContext',
      { ...lax, sessionIdContext: 'ours' },
      { ca: pki.ca.certPem, requestCert: true, sessionIdContext: 'ours' },
    ],
    ['takes no end of the chain but an anchor', { ...lax, allowPartialTrustChain: true }, lax],
    ['wants stronger keys', { ...lax, securityLevel: 1 }, lax],
    ['wants stronger keys, by its ciphers', { ...lax, ciphers: 'DEFAULT@SECLEVEL=1' }, { ...lax, ciphers: 'DEFAULT' }],
    [
      'asks its user too',
      { ...lax, rejectUnauthorized: false },
      { ...lax, rejectUnauthorized: false, verify: () => undefined },
    ],
  ])('is not resumed where the other %s', async (_, first, second) => {
    expect(await isResumed(first, second)).toBe(false);
  });

  it('is not resumed where the other checks revocation of the whole chain', async () => {
    const crl = [pki.crlPem, pki.caCrlPem];
    const first = { ...lax, ca: [ca, pki.ca.certPem], crl, rejectUnauthorized: false } as const;
    expect(await isResumed({ ...first, crlCheck: 'leaf' }, first)).toBe(false);
    expect(await isResumed(first, first)).toBe(true);
  });

  it.skipIf(!hasOpensslProgram('PKCS#12'))(
    'is not resumed where the other trusts whom another bundle carries',
    async () => {
      const bundle = (anchor: string): SslContextOptions => ({
        pfx: { buf: createPfx(pki.server, 'geheim', anchor), passphrase: 'geheim' },
        trustPfx: true,
        requestCert: true,
      });
      const trusting = bundle(ca);
      expect(await isResumed(trusting, bundle(pki.ca.certPem))).toBe(false);
      expect(await isResumed(trusting, trusting)).toBe(true);
    },
  );
});

describeWithOpenssl('a numeric address to be verified', () => {
  it.each(versions)('%s: is not found in the common name of a resumed session', async (maxVersion) => {
    const { chainPem, keyPem } = await issue(pki.intermediate, { commonName: '127.0.0.1' });
    using server = serverContext({ cert: chainPem, key: keyPem, maxVersion });
    using client = clientContext({ maxVersion });
    const session = await sessionOf(client, server, { verifyName: null });
    const { failure } = (await connectInMemory(client, server, { verifyName: '127.0.0.1', session })).client;
    expect(failure).toMatchObject({ code: 'ERR_OPENSSL_VERIFY' });
  });
});
