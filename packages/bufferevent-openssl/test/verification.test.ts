import { issue, makeAuthority, type TestCertificate } from 'certificates';
import { expect, it, vi } from 'vitest';
import { clientLayer } from '../src/connect-tls.js';
import {
  type OpensslVerifyError,
  type PeerIdentity,
  Ssl,
  SslContext,
  type SslOptions,
  type VerifyFunction,
} from '../src/index.js';
import { clientContext, connectInMemory, describeWithOpenssl, pki, serverContext, thrownBy } from './in-memory.js';

const { ca, otherCa } = pki;

/** Under the name of the authority that is trusted, and signed by somebody else. */
function forge(names: readonly string[]): Promise<TestCertificate> {
  const impostor = { ...ca, keys: { publicKey: ca.keys.publicKey, privateKey: otherCa.keys.privateKey } };
  return issue(impostor, { commonName: 'forged', names });
}

function contextOf({ chainPem, keyPem }: TestCertificate): SslContext {
  return new SslContext({ cert: chainPem, key: keyPem });
}

function namesOf(errors: readonly OpensslVerifyError[]): string[] {
  return errors.map(({ verifyName }) => verifyName);
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const;

describeWithOpenssl('a certificate with a wrong name', () => {
  it.each([
    ['with a partial wildcard', ['re*.example.com'], { servername: 'real.example.com' }],
    ['for another host', ['wrong.example'], { servername: 'localhost' }],
    ['for another address', ['127.0.0.2'], { verifyName: '127.0.0.1' }],
  ])('that is forged, %s, is refused though checkServerIdentity forgives names', async (_, names, options) => {
    using server = contextOf(await forge(names));
    const forgiving = vi.fn(() => undefined);
    using client = SslContext.fromNodeOptions({ ca: ca.certPem, checkServerIdentity: forgiving });
    const { failure, isOpen } = (await connectInMemory(client, server, options)).client;
    expect(isOpen).toBe(false);
    expect((failure as OpensslVerifyError).verifyName).toBe('CERT_SIGNATURE_FAILURE');
    expect(forgiving).not.toHaveBeenCalled();
  });

  it.each([
    ['expired', { untilDays: -10, fromDays: -20 }, 'CERT_HAS_EXPIRED'],
    ['not valid yet', { fromDays: 10 }, 'CERT_NOT_YET_VALID'],
    ['meant for clients', { usages: ['client'] }, 'INVALID_PURPOSE'],
  ] as const)('and %s is refused though checkServerIdentity forgives names', async (_, spec, verifyName) => {
    using server = contextOf(await issue(ca, { commonName: 'wrong', names: ['wrong.example'], ...spec }));
    using client = SslContext.fromNodeOptions({ ca: ca.certPem, checkServerIdentity: () => undefined });
    expect((await connectInMemory(client, server)).client.failure).toMatchObject({ verifyName });
  });

  it.each(versions)('%s: shows everything that is wrong, names last', async (maxVersion) => {
    using server = contextOf(await forge(['wrong.example']));
    const verify = vi.fn<VerifyFunction>(() => true);
    using client = clientContext({ verify, maxVersion });
    const { ssl, isOpen } = (await connectInMemory(client, server)).client;
    expect(isOpen).toBe(true);
    const [, peer] = verify.mock.calls[0] as [unknown, PeerIdentity];
    expect(namesOf(peer.errors)).toEqual(['CERT_SIGNATURE_FAILURE', 'HOSTNAME_MISMATCH']);
    expect(peer.error).toBe(peer.errors[0]);
    expect(namesOf(ssl.verifyErrors)).toEqual(namesOf(peer.errors));
    expect(ssl.verifyError?.verifyName).toBe('CERT_SIGNATURE_FAILURE');
    expect(ssl.verifiedChain).toEqual([]);
  });

  it.each(versions)('%s: is remembered as what it was by sessions that nobody should have made', async (maxVersion) => {
    // With one in between, the name is what OpenSSL finds last.
    const between = await makeAuthority('Between', otherCa);
    using server = contextOf(await issue(between, { commonName: 'wrong', names: ['wrong.example'] }));
    using careless = clientContext({ rejectUnauthorized: false, maxVersion });
    const sessions: Uint8Array[] = [];
    const onSession = (session: Uint8Array): void => void sessions.push(session);
    await connectInMemory(careless, server, { servername: 'localhost', onSession });
    await Promise.resolve();
    using client = SslContext.fromNodeOptions({ ca: ca.certPem, checkServerIdentity: () => undefined, maxVersion });
    const options = { servername: 'localhost', session: sessions[0] as Uint8Array };
    const { ssl, failure } = (await connectInMemory(client, server, options)).client;
    expect(ssl.isSessionReused).toBe(true);
    expect((failure as OpensslVerifyError).verifyName).toMatch(/^UNABLE_TO_/);
  });

  it('shows no errors when there are none', async () => {
    using server = serverContext();
    const verify = vi.fn<VerifyFunction>(() => undefined);
    using client = clientContext({ verify });
    const { ssl } = (await connectInMemory(client, server)).client;
    expect(verify).toHaveBeenCalledWith(ssl, expect.objectContaining({ error: null, errors: [] }));
    expect(ssl.verifyErrors).toEqual([]);
  });
});

describeWithOpenssl('the name that is verified', () => {
  it.each<[string, SslOptions, string]>([
    ['the one asked for', { servername: 'localhost' }, 'localhost'],
    ['another than the one asked for', { servername: 'front.example', verifyName: 'localhost' }, 'localhost'],
    ['a numeric address', { verifyName: '127.0.0.1' }, '127.0.0.1'],
    ['none', { servername: 'localhost', verifyName: null }, 'localhost'],
    ['none, and none asked for', { verifyName: null }, ''],
  ])('is what checkServerIdentity is asked about: %s', async (_, options, asked) => {
    using server = serverContext();
    const check = vi.fn(() => undefined);
    using client = SslContext.fromNodeOptions({ ca: ca.certPem, checkServerIdentity: check });
    expect((await connectInMemory(client, server, options)).client.isOpen).toBe(true);
    expect(check).toHaveBeenCalledExactlyOnceWith(asked, expect.anything());
  });

  it('is told to verify(), beside the name that was asked for; of clients there is none', async () => {
    const verify = vi.fn<VerifyFunction>(() => true);
    using server = serverContext({ requestCert: true, rejectUnauthorized: false, verify });
    using client = clientContext({ verify });
    const options = { servername: 'front.example', verifyName: '127.0.0.1' };
    const connection = await connectInMemory(client, server, options);
    const { ssl } = connection.client;
    const asked = { servername: 'front.example' };
    expect(verify).toHaveBeenCalledWith(ssl, expect.objectContaining({ ...asked, verifyName: '127.0.0.1' }));
    expect(verify).toHaveBeenCalledWith(
      connection.server.ssl,
      expect.objectContaining({ ...asked, verifyName: null, chain: [] }),
    );
    expect([ssl.verifyName, connection.server.ssl.verifyName]).toEqual(['127.0.0.1', null]);
  });

  it.each(['servername', 'verifyName'])('has no dot in front, which OpenSSL would take for any host: %s', (option) => {
    using context = clientContext();
    for (const name of ['.example.com', '.']) {
      const error = thrownBy(() => new Ssl(context, { [option]: name }));
      expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE', message: expect.stringContaining(`options.${option}`) });
    }
  });

  it.each([
    ['host', {}, 'localhost.', 'localhost', 'localhost'],
    ['servername', { servername: 'localhost.' }, '127.0.0.1', 'localhost', 'localhost'],
    ['verifyName', { verifyName: 'localhost.' }, '127.0.0.1', null, 'localhost'],
  ])(
    'is without the dot that ends an absolute one, as in SNI (RFC 6066 section 3): %s',
    (_, options, host, asked, verified) => {
      using context = clientContext();
      const layer = clientLayer({ context, ...options }, host);
      expect([layer.ssl.servername, layer.ssl.verifyName]).toEqual([asked, verified]);
      layer.free();
      for (const name of ['.', '..', '.com.']) expect(() => clientLayer({ context }, name)).toThrow(RangeError);
    },
  );
});
