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
});
