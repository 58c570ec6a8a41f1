import { issue, makeAuthority, type TestCertificate } from 'certificates';
import { expect, it, vi } from 'vitest';
import { type OpensslVerifyError, type PeerIdentity, SslContext, type VerifyFunction } from '../src/index.js';
import { clientContext, connectInMemory, describeWithOpenssl, pki, serverContext } from './in-memory.js';

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
