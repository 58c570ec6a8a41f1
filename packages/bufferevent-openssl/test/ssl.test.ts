import { createPrivateKey } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { OpensslError, Ssl, SslContext, type SslOptions } from '../src/index.js';
import { native } from '../src/native.js';
import {
  clientContext,
  connectInMemory,
  describeWithOpenssl,
  exchange,
  pki,
  serverContext,
  type TestConnection,
  TestEnd,
  thrownBy,
} from './in-memory.js';

async function connected(maxVersion: 'TLSv1.2' | 'TLSv1.3', options?: SslOptions): Promise<TestConnection> {
  const connection = await connectInMemory(clientContext({ maxVersion }), serverContext(), options);
  expect([connection.client.failure, connection.server.failure]).toEqual([null, null]);
  return connection;
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const;

describeWithOpenssl('an Ssl', () => {
  it.each([
    ['context', [{}]],
    ['options.servername', [null, { servername: 7 }]],
    ['options.verifyName', [null, { verifyName: 7 }]],
    ['options.session', [null, { session: 'text' }]],
    ['options.requestOcsp', [null, { requestOcsp: 1 }]],
    ['options.descriptor', [null, { descriptor: '1' }]],
    ['options.onSession', [null, { onSession: {} }]],
    ['options.ALPNProtocols', [null, { ALPNProtocols: 'h2' }]],
  ])('is not made with a wrong %s', (name, [context, options]) => {
    const error = thrownBy(() => new Ssl((context ?? clientContext()) as SslContext, options as SslOptions));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(`"${name}"`);
  });

  it.each([
    { servername: '127.0.0.1' },
    { servername: '' },
    { servername: 'bücher.example' },
    { servername: 'a\0b' },
    { verifyName: '' },
    { descriptor: -1 },
  ])('is not made with %j', (options) => {
    expect(() => new Ssl(clientContext(), options)).toThrow(RangeError);
  });

  it('is not made of a context that was freed', () => {
    const context = clientContext();
    context.free();
    expect(thrownBy(() => new Ssl(context, { servername: 'localhost' }))['code']).toBe('ERR_OPENSSL_FREED');
  });

  it('offers as many protocols as a ClientHello has room for beside everything else', async () => {
    const names = Array.from({ length: 128 }, (_, index) => String(index).padStart(255, 'x'));
    const wire = Buffer.concat(names.map((name) => Buffer.concat([Buffer.of(255), Buffer.from(name)])));
    for (const ALPNProtocols of [names, wire]) {
      const { client, server } = await connectInMemory(clientContext(), serverContext(), {
        servername: 'localhost',
        ALPNProtocols,
      });
      expect([client.failure, server.failure]).toEqual([null, null]);
    }
    for (const ALPNProtocols of [[...names, 'x'], Buffer.concat([wire, Buffer.of(1, 120)])]) {
      expect(thrownBy(() => new Ssl(clientContext(), { ALPNProtocols })).message).toContain('at most 32768 bytes');
      expect(() => clientContext({ ALPNProtocols })).toThrow(RangeError);
    }
  });

  it('keeps copies of the bytes that it is given', async () => {
    const sessions: Uint8Array[] = [];
    const onSession = (session: Uint8Array): void => void sessions.push(session);
    using context = clientContext();
    using serving = serverContext({ ALPNProtocols: ['h2'] });
    await connectInMemory(context, serving, { servername: 'localhost', onSession });
    await Promise.resolve();
    const session = Buffer.from(sessions[0] as Uint8Array);
    const ALPNProtocols = Buffer.from('\x02h2');
    const ssl = new Ssl(context, { servername: 'localhost', session, ALPNProtocols });
    session.fill(0);
    ALPNProtocols.fill(0);
    const connection = { client: new TestEnd(ssl, false), server: new TestEnd(new Ssl(serving), true) };
    await exchange(connection);
    expect([connection.client.failure, ssl.isSessionReused, ssl.alpnProtocol]).toEqual([null, true, 'h2']);
  });

  it('as a client wants to know whom the certificate has to name, unless that does not matter', async () => {
    expect(() => new Ssl(clientContext()).start('connecting')).toThrow(TypeError);
    expect(() => new Ssl(clientContext({ verify: () => undefined })).start('connecting')).toThrow(TypeError);
    using server = serverContext();
    const { client } = await connectInMemory(clientContext(), server, { verifyName: null });
    expect(client.isOpen).toBe(true);
    expect(() => new Ssl(clientContext({ rejectUnauthorized: false })).start('connecting')).not.toThrow();
  });

  it('as a server wants to be able to say who it is', () => {
    expect(thrownBy(() => new Ssl(clientContext()).start('accepting'))['code']).toBe('ERR_OPENSSL_CERTIFICATE');
  });

  it('knows nothing before the handshake, and nothing after free(), and does not throw', async () => {
    const fresh = new Ssl(clientContext(), { servername: 'localhost', descriptor: 7 });
    expect(fresh.servername).toBe('localhost');
    expect(fresh.descriptor).toBe(7);
    const { client } = await connected('TLSv1.3');
    client.ssl.free();
    client.ssl.free();
    expect([fresh.state, client.ssl.state]).toEqual(['idle', 'freed']);
    for (const ssl of [fresh, client.ssl]) {
      expect([ssl.protocol, ssl.cipher, ssl.group, ssl.alpnProtocol, ssl.peerCertificate]).toEqual(
        new Array(5).fill(null),
      );
      expect([ssl.verifyError, ssl.session, ssl.ocspResponse, ssl.finished, ssl.peerFinished]).toEqual(
        new Array(5).fill(null),
      );
      expect([ssl.peerCertificateChain, ssl.verifiedChain, ssl.errors]).toEqual([[], [], []]);
      expect([ssl.pending, ssl.isSessionReused, ssl.stateText, ssl.takeError()]).toEqual([0, false, '', 0]);
    }
    expect(thrownBy(() => client.ssl.exportKeyingMaterial(16, 'label'))['code']).toBe('ERR_OPENSSL_FREED');
    expect(thrownBy(() => fresh.exportKeyingMaterial(16, 'label'))['code']).toBe('ERR_OPENSSL_STATE');
    expect(thrownBy(() => client.ssl.start('open'))['code']).toBe('ERR_OPENSSL_FREED');
  });

  it.each(versions)('%s: knows what was negotiated', async (version) => {
    const { client, server } = await connected(version);
    for (const { ssl } of [client, server]) {
      expect(ssl.protocol).toBe(version);
      expect(ssl.cipher?.name).toMatch(version === 'TLSv1.3' ? /^TLS_/ : /^ECDHE-/);
      expect(ssl.cipher?.standardName).toMatch(/^TLS_/);
      expect(ssl.cipher?.bits).toBeGreaterThanOrEqual(128);
      expect(ssl.group).toMatch(/\w/);
      expect(ssl.servername).toBe('localhost');
      expect(ssl.state).toBe('open');
      expect(ssl.stateText).toContain('success');
    }
    expect([client.ssl.isServer, server.ssl.isServer]).toEqual([false, true]);
  });

  it.each(versions)('%s: knows the peer', async (version) => {
    const { client, server } = await connected(version);
    const { ssl } = client;
    expect(ssl.peerCertificate?.checkPrivateKey(createPrivateKey(pki.server.keyPem))).toBe(true);
    expect(ssl.peerCertificateChain.map(({ subject }) => subject)).toEqual(['CN=localhost', 'CN=Test Intermediate']);
    expect(ssl.verifiedChain.map(({ subject }) => subject)).toEqual([
      'CN=localhost',
      'CN=Test Intermediate',
      'CN=Test CA',
    ]);
    expect(ssl.verifyError).toBeNull();
    expect(server.ssl.peerCertificate).toBeNull();
    expect(server.ssl.verifyError).toBeNull();
  });

  it.each(versions)('%s: exports the same keying material as its peer', async (version) => {
    const { client, server } = await connected(version);
    const context = Uint8Array.of(1, 2);
    const material = client.ssl.exportKeyingMaterial(48, 'EXPORTER-test', context);
    expect(material).toHaveLength(48);
    expect(server.ssl.exportKeyingMaterial(48, 'EXPORTER-test', context)).toEqual(material);
    expect(server.ssl.exportKeyingMaterial(48, 'EXPORTER-test')).not.toEqual(material);
    expect(() => client.ssl.exportKeyingMaterial(0, 'label')).toThrow(RangeError);
    expect(() => client.ssl.exportKeyingMaterial(1, 2 as never)).toThrow(TypeError);
    expect(() => client.ssl.exportKeyingMaterial(1, 'label', 'no' as never)).toThrow(TypeError);
  });

  it.each(versions)('%s: has the Finished messages of both sides', async (version) => {
    const { client, server } = await connected(version);
    expect(client.ssl.finished?.length).toBeGreaterThanOrEqual(12);
    expect(server.ssl.peerFinished).toEqual(client.ssl.finished);
    expect(client.ssl.peerFinished).toEqual(server.ssl.finished);
    expect(client.ssl.finished).not.toEqual(client.ssl.peerFinished);
  });

  it('updates its keys with TLS 1.3, and those of the peer when asked to', async () => {
    const connection = await connected('TLSv1.3');
    for (const requestPeer of [false, true]) {
      connection.client.ssl.updateKeys({ requestPeer });
      connection.client.pair.write('over');
      await exchange(connection);
      connection.server.pair.write('and back');
      await exchange(connection);
      expect([connection.server.text(), connection.client.text()]).toEqual(['over', 'and back']);
    }
    expect(() => connection.client.ssl.updateKeys({ requestPeer: 1 as never })).toThrow(TypeError);
    const older = await connected('TLSv1.2');
    expect(thrownBy(() => older.client.ssl.updateKeys())['code']).toBe('ERR_OPENSSL_UNSUPPORTED');
    expect(thrownBy(() => new Ssl(clientContext()).updateKeys())['code']).toBe('ERR_OPENSSL_STATE');
  });

  it('TL-14: is handshaking again in a renegotiation, but not while new keys of TLS 1.3 wait for a record', async () => {
    const server = serverContext({ renegotiation: { perMinute: 1 } });
    const older = await connectInMemory(clientContext({ maxVersion: 'TLSv1.2' }), server);
    const newer = await connected('TLSv1.3');
    older.client.pair.renegotiate();
    newer.client.ssl.updateKeys();
    expect([older.client.ssl.state, newer.client.ssl.state]).toEqual(['handshaking', 'open']);
    await exchange(older);
    expect([older.client.ssl.state, older.server.ssl.state]).toEqual(['open', 'open']);
  });

  it('TL-14: says that TLS 1.3 has no renegotiation, and what it has instead', async () => {
    const { client } = await connected('TLSv1.3');
    const error = thrownBy(() => client.ssl.checkRenegotiation());
    expect(error['code']).toBe('ERR_OPENSSL_UNSUPPORTED');
    expect(error.message).toContain('updateKeys');
    const older = await connected('TLSv1.2');
    expect(() => older.client.ssl.checkRenegotiation()).not.toThrow();
  });

  it('TL-6: tells what is decrypted and was not taken', async () => {
    const connection = await connected('TLSv1.3');
    const { client, server } = connection;
    client.pair.write(Buffer.alloc(1000));
    server.pair.feed(client.pair.output);
    expect(server.ssl.pending).toBe(0);
    server.pair.read(server.received, 100);
    expect(server.ssl.pending).toBe(900);
    await exchange(connection);
    expect(server.ssl.pending).toBe(0);
    expect(server.received.length).toBe(1000);
  });

  it('tells who has said the end', async () => {
    const connection = await connected('TLSv1.3');
    const { client, server } = connection;
    client.pair.shutdown();
    expect([client.ssl.hasSentClose, client.ssl.hasReceivedClose, client.ssl.state]).toEqual([true, false, 'closing']);
    await exchange(connection);
    expect([server.ssl.hasSentClose, server.ssl.hasReceivedClose, server.ssl.state]).toEqual([false, true, 'closing']);
    server.pair.shutdown();
    await exchange(connection);
    expect([client.ssl.state, server.ssl.state]).toEqual(['closed', 'closed']);
  });

  it('suits the state that it is used with, or is refused', async () => {
    const { client } = await connected('TLSv1.3');
    const idle = new Ssl(serverContext());
    expect(thrownBy(() => idle.start('open'))['code']).toBe('ERR_OPENSSL_STATE');
    const id = idle.start('accepting');
    expect(idle.start('accepting')).toBe(id);
    expect(idle.state).toBe('handshaking');
    expect(thrownBy(() => idle.start('connecting'))['code']).toBe('ERR_OPENSSL_STATE');
    expect(thrownBy(() => client.ssl.start('connecting'))['code']).toBe('ERR_OPENSSL_STATE');
    expect(client.ssl.start('open')).toBeGreaterThan(0);
  });

  it('TL-18: is as new after reset()', async () => {
    const connection = await connected('TLSv1.3', { servername: 'localhost', ALPNProtocols: ['a'] });
    const { ssl } = connection.client;
    connection.client.pair.free();
    ssl.reset();
    expect([ssl.state, ssl.peerCertificate, ssl.servername]).toEqual(['handshaking', null, 'localhost']);
    expect(() => ssl.start('connecting')).not.toThrow();
    const fresh = new Ssl(clientContext(), { servername: 'localhost' });
    fresh.reset();
    expect(fresh.state).toBe('idle');
  });

  it.each(versions)('%s: tells of sessions, also who comes later', async (version) => {
    const onSession = vi.fn();
    const { client } = await connected(version, { servername: 'localhost', onSession });
    expect(client.ssl.onSession).toBe(onSession);
    await Promise.resolve();
    expect(onSession).toHaveBeenCalledTimes(version === 'TLSv1.3' ? 2 : 1);
    expect(onSession.mock.calls[0]?.[0]).toBeInstanceOf(Uint8Array);
    expect(onSession.mock.calls[0]?.[1]).toBe(client.ssl);
    expect(client.ssl.session).toBeInstanceOf(Uint8Array);
    expect(client.ssl.isSessionReused).toBe(false);
  });
});

describeWithOpenssl('errors of an Ssl', () => {
  async function refused(): Promise<TestConnection> {
    return connectInMemory(clientContext(), new SslContext({ cert: pki.expired.chainPem, key: pki.expired.keyPem }));
  }

  it('TL-15: are all there, oldest first, and taken one by one', async () => {
    const { client } = await refused();
    const errors = client.ssl.errors;
    expect(errors.length).toBeGreaterThan(0);
    expect(errors[0]).toMatchObject({
      code: 0x0a000086,
      library: 'SSL routines',
      reason: 'certificate verify failed',
      data: expect.any(String),
    });
    expect(client.ssl.errors).toEqual(errors);
    for (const { code } of errors) expect(client.ssl.takeError()).toBe(code);
    expect(client.ssl.takeError()).toBe(0);
    expect(client.ssl.errors).toEqual([]);
  });

  it('TL-15: of several calls wait in their order, 32 at most', async () => {
    const { client } = await connected('TLSv1.3');
    const { ssl, pair } = client;
    const id = ssl.start('open');
    pair.shutdown();
    const failToWrite = (): OpensslError => {
      native().sslWrite(id, Uint8Array.of(1), 0, 1, new Uint8Array(100), 0, 100);
      return ssl.takeFailure('ERR_OPENSSL_PROTOCOL', 'not written');
    };
    native().sslRenegotiate(id);
    const first = ssl.takeFailure('ERR_OPENSSL_RENEGOTIATION', 'not begun');
    const second = failToWrite();
    expect(first.opensslCode).not.toBe(second.opensslCode);
    expect(ssl.errors.map(({ code }) => code)).toEqual([first.opensslCode, second.opensslCode]);
    expect(ssl.takeError()).toBe(first.opensslCode);
    for (let count = 0; count < 40; count++) expect(failToWrite().opensslErrors).toHaveLength(1);
    expect(ssl.errors).toHaveLength(32);
  });

  it('are in what was thrown too', async () => {
    const { client, server } = await refused();
    const [mine, theirs] = [client.failure as OpensslError, server.failure as OpensslError];
    expect(mine).toBeInstanceOf(OpensslError);
    expect(mine.opensslCode).toBe(0x0a000086);
    expect(mine.alert).toBeNull();
    // certificate_expired
    expect(theirs.alert).toBe(45);
    expect(theirs).toMatchObject({ name: 'OpensslError' });
    expect(theirs.message).toContain('alert');
  });

  it('TL-23: are not left to others in the thread', async () => {
    await refused();
    expect(() => createPrivateKey(pki.server.keyPem)).not.toThrow();
  });

  it('survive free()', async () => {
    const { client } = await refused();
    const { length } = client.ssl.errors;
    client.ssl.free();
    expect(client.ssl.errors).toHaveLength(length);
  });
});

describeWithOpenssl('the life of an Ssl', () => {
  it('ends by itself when it is forgotten', async () => {
    const collect = globalThis.gc as () => void;
    const context = serverContext();
    const [, before] = native().liveCounts();
    (() => new Ssl(context).start('accepting'))();
    expect(native().liveCounts()[1]).toBe(before + 1);
    await vi.waitFor(() => {
      collect();
      expect(native().liveCounts()[1]).toBeLessThanOrEqual(before);
    });
  });

  it('leaves nothing behind when it can not begin', () => {
    const context = clientContext();
    const before = native().liveCounts();
    using ssl = new Ssl(context, { servername: 'localhost', session: Uint8Array.of(0) });
    expect(() => ssl.start('connecting')).toThrow(OpensslError);
    expect(native().liveCounts()).toEqual(before);
    expect(ssl.isServer).toBeNull();
  });
});
