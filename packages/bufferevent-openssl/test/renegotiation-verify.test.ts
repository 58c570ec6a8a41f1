// What verification meets counts for the handshake in which it is met.
import { once } from 'node:events';
import { createSecureContext, TLSSocket } from 'node:tls';
import { createPair } from 'bufferevent';
import { toDuplex } from 'bufferevent/duplex';
import { createTestBase } from 'bufferevent/testing';
import { issue, type TestCertificate } from 'certificates';
import { expect, it } from 'vitest';
import { type OpensslVerifyError, renegotiate, SslContext, TlsLayer, type VerifyFunction } from '../src/index.js';
import { native } from '../src/native.js';
import { connectInMemory, describeWithOpenssl, exchange, pki, serverContext } from './in-memory.js';
import { withHandPeer } from './support/hand-peer.js';
import { securePair } from './support/secure-pair.js';
import { contextsOf, newSsl } from './support/versions.js';
import { until } from './support/wait.js';

const { ca, otherCa } = pki;
const version = 'TLSv1.2';
const bytes = new TextEncoder();

function namesOf(errors: readonly OpensslVerifyError[]): string[] {
  return errors.map(({ verifyName }) => verifyName);
}

/** Accepts everybody. `wrong`: what was found in each handshake. */
function lenient(): { readonly verify: VerifyFunction; readonly wrong: string[][] } {
  const wrong: string[][] = [];
  const verify: VerifyFunction = (_, { errors }) => {
    wrong.push(namesOf(errors));
    return true;
  };
  return { verify, wrong };
}

function contextOf({ chainPem, keyPem }: TestCertificate): SslContext {
  return new SslContext({ ca: ca.certPem, cert: chainPem, key: keyPem, maxVersion: version });
}

function askingContext(verify: VerifyFunction, renegotiation: 'refuse' | { perMinute: number }): SslContext {
  return serverContext({ ca: ca.certPem, requestCert: true, rejectUnauthorized: false, verify, renegotiation });
}

describeWithOpenssl('a renegotiation', () => {
  it('with a server that has another certificate in each is judged by that one', async () => {
    await using test = createTestBase();
    const { verify, wrong } = lenient();
    const [secureContext, ...others] = [pki.wrongHost, pki.expired, pki.server].map(({ chainPem, keyPem }) =>
      createSecureContext({ cert: chainPem, key: keyPem, maxVersion: version }),
    );
    const [bev, wire] = createPair(test.base);
    // Of node:tls, which can change it.
    const server = new TLSSocket(toDuplex(wire), { secureContext, isServer: true });
    const secured = once(server, 'secure');
    bev.enable('read');
    const both = contextsOf(version, {}, { verify });
    await bev.insertLayer(new TlsLayer(newSsl(version, 'connecting', both), 'connecting'));
    await secured;
    for (const other of others) {
      const handshakes = wrong.length;
      server.setKeyCert(other);
      renegotiate(bev);
      await until(() => wrong.length > handshakes, 'the renegotiation');
    }
    server.destroy();
    expect(wrong).toEqual([['HOSTNAME_MISMATCH'], ['CERT_HAS_EXPIRED'], []]);
  });

  it('with a client that is trusted by then is judged by that', async () => {
    const { verify, wrong } = lenient();
    using server = askingContext(verify, { perMinute: 1 });
    using client = contextOf(pki.untrustedClient);
    const connection = await connectInMemory(client, server);
    native().contextAddCa(server.id, bytes.encode(otherCa.certPem), false);
    connection.client.pair.renegotiate();
    await exchange(connection);
    expect(wrong).toEqual([expect.arrayContaining(['UNABLE_TO_VERIFY_LEAF_SIGNATURE']), []]);
  });

  it('that is refused changes nothing of what was found before', async () => {
    const impostor = { ...ca, keys: { publicKey: ca.keys.publicKey, privateKey: otherCa.keys.privateKey } };
    const expired = { usages: ['client'], fromDays: -20, untilDays: -10 } as const;
    using client = contextOf(await issue(impostor, { commonName: 'forged', ...expired }));
    const { verify, wrong } = lenient();
    using server = askingContext(verify, 'refuse');
    const connection = await connectInMemory(client, server);
    connection.client.pair.renegotiate();
    await exchange(connection);
    expect(connection.client.failure).not.toBeNull();
    expect(wrong).toEqual([['CERT_SIGNATURE_FAILURE', 'CERT_HAS_EXPIRED']]);
    expect(namesOf(connection.server.ssl.verifyErrors)).toEqual(wrong[0]);
  });

  it('whose peer is refused ends it at once, also behind payload that waits, and nothing more is made for that peer', async () => {
    await using test = createTestBase();
    let judged = 0;
    const { chainPem, keyPem } = pki.client;
    const allowed = { renegotiation: { perMinute: 5 } };
    const contexts = contextsOf(
      version,
      { ca: ca.certPem, requestCert: true, verify: () => ++judged === 1, ...allowed },
      { cert: chainPem, key: keyPem, ...allowed },
    );
    const log: string[] = [];
    const { client, server, serverLayer, opened } = securePair(test.base, version, { contexts, log });
    await opened;
    client.write('early');
    await test.settle();
    renegotiate(server);
    client.enable('read');
    await test.settle();
    expect(log).toContain('server error ERR_OPENSSL_VERIFY read');
    server.write('secret');
    await test.settle();
    expect(client.input.length).toBe(0);
    expect(client.readEnded).toBe(false);
    expect(await server.end()).toMatchObject({ kind: 'error', error: { code: 'ERR_OPENSSL_VERIFY' } });
    expect(serverLayer.ssl.hasSentClose).toBe(false);
  });

  it('is judged by what it has found, also when the next one has begun in the same flight', async () => {
    await using test = createTestBase();
    const { verify, wrong } = lenient();
    const { chainPem, keyPem } = pki.untrusted;
    const contexts = contextsOf(
      version,
      // Nothing is resumed: the certificate is looked at each time.
      { cert: chainPem, key: keyPem, sessionTickets: false, sessionCacheSize: 0 },
      {
        // Accepted once, whoever it is.
        verify: (ssl, peer) => (verify(ssl, peer) && wrong.length === 1 ? true : undefined),
        renegotiation: { perMinute: 5 },
      },
    );
    const { bev, peer } = withHandPeer(test.base, version, { contexts, isServer: true });
    bev.enable('read');
    await peer.shake();
    await test.settle();
    peer.tls.renegotiate();
    peer.send();
    await test.settle();
    peer.tls.feed((await peer.bev.read()) as Uint8Array);
    peer.tls.read(peer.received);
    peer.send();
    await test.settle();
    peer.tls.feed((await peer.bev.read()) as Uint8Array);
    peer.tls.read(peer.received);
    peer.tls.write('evil');
    peer.tls.renegotiate();
    peer.send();
    await test.settle();
    expect(wrong).toEqual([expect.arrayContaining(['UNABLE_TO_VERIFY_LEAF_SIGNATURE']), wrong[0]]);
    expect(bev.input.length).toBe(0);
    expect(await bev.end()).toMatchObject({ kind: 'error', error: { code: 'ERR_OPENSSL_VERIFY' } });
  });
});
