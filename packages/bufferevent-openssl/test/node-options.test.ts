import { constants, createPrivateKey, randomBytes } from 'node:crypto';
import {
  checkServerIdentity,
  createSecureContext,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type SecureContextOptions,
  type TlsOptions,
} from 'node:tls';
import { createPfx, encryptKey, hasOpensslProgram } from 'certificates';
import { expect, it, vi } from 'vitest';
import { type NodeContextOptions, OpensslError, type OpensslVerifyError, SslContext } from '../src/index.js';
import { clientContext, connectInMemory, describeWithOpenssl, pki, serverContext, thrownBy } from './in-memory.js';

const { server, client, ca } = pki;

function nodeServer(options: NodeContextOptions = {}): SslContext {
  return SslContext.fromNodeOptions({ cert: server.chainPem, key: server.keyPem, ...options });
}

describeWithOpenssl('fromNodeOptions()', () => {
  const encrypted = encryptKey(server, 'secret').pem;

  it.each<[string, SecureContextOptions]>([
    ['nothing', {}],
    ['text', { cert: server.chainPem, key: server.keyPem, ca: ca.certPem }],
    [
      'Buffers in arrays',
      { cert: [Buffer.from(server.chainPem)], key: [Buffer.from(server.keyPem)], ca: [ca.certPem] },
    ],
    ['an encrypted key', { cert: server.chainPem, key: encrypted, passphrase: 'secret' }],
    [
      'an encrypted key with its own passphrase',
      { cert: server.chainPem, key: [{ pem: encrypted, passphrase: 'secret' }] as never },
    ],
    ['revocation lists', { ca: ca.certPem, crl: [pki.crlPem, pki.caCrlPem] }],
    ['a list of ciphers', { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256:!aNULL' }],
    ['curves', { ecdhCurve: 'P-256:X25519' }],
    ['the curves of OpenSSL', { ecdhCurve: 'auto' }],
    ['the Diffie-Hellman parameters of OpenSSL', { dhparam: 'auto' }],
    ['versions', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }],
    ['signature algorithms', { sigalgs: 'ecdsa_secp256r1_sha256:RSA-PSS+SHA256' }],
    ['a method', { secureProtocol: 'TLSv1_2_server_method' }],
    ['any method', { secureProtocol: 'TLS_method' }],
    [
      'bits',
      { secureOptions: constants.SSL_OP_NO_TLSv1_2 | constants.SSL_OP_NO_SSLv3 | constants.SSL_OP_NO_COMPRESSION },
    ],
    ['a session id context', { sessionIdContext: 'mine' }],
    ['ticket keys', { ticketKeys: randomBytes(48) }],
    ['an order', { honorCipherOrder: true }],
    ['partial chains', { allowPartialTrustChain: true }],
    ['what is left out in other ways', { cert: undefined, key: null as never, ca: undefined }],
  ])('takes what tls.createSecureContext() takes: %s', (_, options) => {
    expect(() => createSecureContext(options)).not.toThrow();
    expect(() => SslContext.fromNodeOptions(options as NodeContextOptions).free()).not.toThrow();
  });

  it('takes a KeyObject for a key, and other views of bytes', async () => {
    const bytes = Buffer.from(server.chainPem);
    const cert = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    using context = SslContext.fromNodeOptions({ cert, key: createPrivateKey(server.keyPem) });
    expect((await connectInMemory(clientContext(), context)).client.failure).toBeNull();
  });

  it('takes PKCS#12, and trusts what is in it as Node does', async () => {
    if (!hasOpensslProgram('fromNodeOptions() with PKCS#12')) return;
    const buf = Buffer.from(createPfx(client, 'secret', ca.certPem));
    for (const options of [{ pfx: buf, passphrase: 'secret' }, { pfx: [{ buf, passphrase: 'secret' }] }]) {
      using context = SslContext.fromNodeOptions(options);
      expect((await connectInMemory(context, nodeServer())).client.failure).toBeNull();
    }
  });

  it.each<[string, object]>([
    ['clientCertEngine', { clientCertEngine: 'engine' }],
    ['privateKeyEngine', { privateKeyEngine: 'engine', privateKeyIdentifier: 'key' }],
    ['secureContext', { secureContext: createSecureContext() }],
    ['SNICallback', { SNICallback: () => {} }],
    ['ALPNCallback', { ALPNCallback: () => undefined }],
    ['pskCallback', { pskCallback: () => null }],
    ['pskIdentityHint', { pskIdentityHint: 'hint' }],
    ['enableTrace', { enableTrace: true }],
    ['port', { port: 443 }],
    ['servername of node:tls can not be used here: it is an option of a connection', { servername: 'localhost' }],
    ['session of node:tls can not be used here: it is an option of a connection', { session: Buffer.of(1) }],
    ['requestOcsp', { requestOCSP: true }],
    ['handshakeMs', { handshakeTimeout: 1000 }],
    ['securityLevel', { minDHSize: 1024 }],
    ['secureOptions: the bits 0x200000000', { secureOptions: 2 ** 33 }],
    ['secureOptions: the bits 0x800000000', { secureOptions: 2 ** 35 + constants.SSL_OP_NO_TICKET }],
    ['secureOptions', { secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT }],
    ['secureOptions', { secureOptions: constants.SSL_OP_NO_TLSv1_2, minVersion: 'TLSv1.1' }],
  ])('says with ERR_OPENSSL_UNSUPPORTED that it can not do: %s', (name, options) => {
    const error = thrownBy(() => SslContext.fromNodeOptions(options as NodeContextOptions));
    expect(error).toBeInstanceOf(OpensslError);
    expect(error['code']).toBe('ERR_OPENSSL_UNSUPPORTED');
    expect(error.message).toContain(name);
  });

  it.each<[string, object]>([
    ['options', 7 as never],
    ['secureProtocol', { secureProtocol: 'SSLv2_method' }],
    ['secureProtocol', { secureProtocol: 'TLS_method', minVersion: 'TLSv1.2' }],
    ['ticketKeys', { ticketKeys: Buffer.alloc(80) }],
    ['ticketKeys', { ticketKeys: 'text' }],
    ['secureOptions', { secureOptions: 'text' }],
    ['secureOptions', { secureOptions: Number.NaN }],
    ['secureOptions', { secureOptions: 1.5 }],
    ['secureOptions', { secureOptions: -1 }],
    ['ecdhCurve', { ecdhCurve: 7 }],
    ['ecdhCurve', { ecdhCurve: '' }],
    ['secureOptions', { secureOptions: constants.SSL_OP_NO_TLSv1_2 | (1 << 29) }],
    ['checkServerIdentity', { checkServerIdentity: true }],
    [
      'key',
      { cert: server.certPem, key: createPrivateKey(server.keyPem).export({ type: 'sec1', format: 'der' }).buffer },
    ],
    ['ciphers', { ciphers: 7 }],
  ])('refuses what is malformed: %s', (name, options) => {
    const error = thrownBy(() => SslContext.fromNodeOptions(options as NodeContextOptions));
    expect(['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE']).toContain(error['code']);
    expect(error.message).toContain(name);
  });

  it('acts on versions by method and by bits', async () => {
    const version = async (options: NodeContextOptions): Promise<string | null> =>
      (await connectInMemory(clientContext(), nodeServer(options))).client.ssl.protocol;
    expect(await version({})).toBe('TLSv1.3');
    expect(await version({ secureProtocol: 'TLSv1_2_method' })).toBe('TLSv1.2');
    expect(await version({ secureOptions: 1 << 29 })).toBe('TLSv1.2');
    expect(await version({ secureOptions: 1 << 29, maxVersion: 'TLSv1.3' })).toBe('TLSv1.2');
    expect(await version({ secureOptions: constants.SSL_OP_NO_TLSv1_2 })).toBe('TLSv1.3');
  });

  it.each([
    ['DEFAULT_MIN_VERSION', 'TLSv1.3', { maxVersion: 'TLSv1.2' }],
    ['DEFAULT_MAX_VERSION', 'TLSv1.2', { minVersion: 'TLSv1.3' }],
    ['DEFAULT_CIPHERS', 'TLS_CHACHA20_POLY1305_SHA256', { ciphers: 'TLS_AES_128_GCM_SHA256' }],
  ] as const)('holds to what the process holds Node to: %s', async (name, value, refused) => {
    const tls: Record<typeof name, string> = process.getBuiltinModule('node:tls');
    const before = tls[name];
    using usual = nodeServer();
    tls[name] = value;
    try {
      using held = nodeServer();
      expect((await connectInMemory(clientContext(refused), usual)).server.failure).toBeNull();
      expect((await connectInMemory(clientContext(refused), held)).server.failure).not.toBeNull();
      expect((await connectInMemory(clientContext(), held)).server.failure).toBeNull();
      // What is said comes first.
      using said = nodeServer({
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.3',
        ciphers: constants.defaultCoreCipherList,
      });
      expect((await connectInMemory(clientContext(refused), said)).server.failure).toBeNull();
    } finally {
      tls[name] = before;
    }
  });

  it('acts on other bits', async () => {
    using noTickets = nodeServer({ secureOptions: constants.SSL_OP_NO_TICKET, maxVersion: 'TLSv1.2' });
    const connection = await connectInMemory(clientContext(), noTickets);
    expect(connection.client.failure).toBeNull();
    expect(noTickets.sessionStats().cached).toBe(1);
    const [first, second] = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'];
    using choosing = nodeServer({
      ciphers: `${second}:${first}`,
      honorCipherOrder: false,
      secureOptions: constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
    });
    const chosen = await connectInMemory(clientContext({ ciphers: `${first}:${second}` }), choosing);
    expect(chosen.client.ssl.cipher?.name).toBe(second);
  });

  it('shares tickets among processes with the same 48 bytes', async () => {
    const ticketKeys = randomBytes(48);
    const sessions: Uint8Array[] = [];
    const context = clientContext();
    const onSession = (session: Uint8Array): void => void sessions.push(session);
    await connectInMemory(context, nodeServer({ ticketKeys }), { servername: 'localhost', onSession });
    await Promise.resolve();
    const options = { servername: 'localhost', session: sessions[0] as Uint8Array };
    expect((await connectInMemory(context, nodeServer({ ticketKeys }), options)).client.ssl.isSessionReused).toBe(true);
    expect((await connectInMemory(context, nodeServer(), options)).client.ssl.isSessionReused).toBe(false);
  });

  it('takes the options of servers about clients, but wants to know whom they trust', async () => {
    const options = { requestCert: true, rejectUnauthorized: true } satisfies TlsOptions;
    expect(thrownBy(() => nodeServer(options))['code']).toBe('ERR_INVALID_ARG_TYPE');
    using strict = nodeServer({ ...options, ca: ca.certPem });
    using known = SslContext.fromNodeOptions({ ca: ca.certPem, cert: client.chainPem, key: client.keyPem });
    expect((await connectInMemory(known, strict)).server.isOpen).toBe(true);
    expect((await connectInMemory(clientContext(), strict)).server.isOpen).toBe(false);
  });

  it('refuses what is not covered by a revocation list, as Node does', async () => {
    using lacking = SslContext.fromNodeOptions({ ca: ca.certPem, crl: pki.crlPem });
    const { failure } = (await connectInMemory(lacking, nodeServer())).client;
    expect((failure as OpensslVerifyError).verifyName).toBe('UNABLE_TO_GET_CRL');
  });

  it('shows checkServerIdentity each certificate with its issuer, up to one that is its own, as Node does', async () => {
    const fingerprints: string[] = [];
    // How Node's documentation pins.
    const pinning = (_: string, peer: PeerCertificate): undefined => {
      let certificate = peer as DetailedPeerCertificate;
      for (let last = ''; certificate.fingerprint256 !== last; certificate = certificate.issuerCertificate) {
        last = certificate.fingerprint256;
        fingerprints.push(last);
      }
    };
    using client = SslContext.fromNodeOptions({ ca: ca.certPem, checkServerIdentity: pinning as never });
    using context = serverContext();
    const connection = await connectInMemory(client, context, { servername: 'localhost' });
    expect(connection.client.failure).toBeNull();
    const chain = connection.client.ssl.verifiedChain.map(({ fingerprint256 }) => fingerprint256);
    expect(chain.length).toBe(3);
    expect(fingerprints).toEqual(chain);
  });

  it('goes on against checkServerIdentity where rejectUnauthorized is false', async () => {
    const options = { ca: ca.certPem, checkServerIdentity: () => new Error('not this one') };
    using context = serverContext();
    for (const [rejectUnauthorized, failure] of [
      [true, expect.objectContaining({ code: 'ERR_OPENSSL_VERIFY' })],
      [false, null],
    ] as const) {
      using client = SslContext.fromNodeOptions({ ...options, rejectUnauthorized });
      expect((await connectInMemory(client, context)).client.failure).toEqual(failure);
    }
  });

  it('speaks no TLS 1.3 by SSLv23_method, as Node', async () => {
    using client = SslContext.fromNodeOptions({ ca: ca.certPem, secureProtocol: 'SSLv23_method' });
    using context = serverContext();
    expect((await connectInMemory(client, context)).client.ssl.protocol).toBe('TLSv1.2');
  });

  it('asks checkServerIdentity in place of comparing names', async () => {
    using wrong = new SslContext({ cert: pki.wrongHost.chainPem, key: pki.wrongHost.keyPem });
    using expired = new SslContext({ cert: pki.expired.chainPem, key: pki.expired.keyPem });
    const lenient = vi.fn(() => undefined);
    using trusting = SslContext.fromNodeOptions({ ca: ca.certPem, checkServerIdentity: lenient });
    expect((await connectInMemory(trusting, wrong)).client.isOpen).toBe(true);
    expect(lenient).toHaveBeenCalledWith('localhost', expect.objectContaining({ subject: { CN: 'wrong.example' } }));
    // Everything else stays as it is.
    expect((await connectInMemory(trusting, expired)).client.isOpen).toBe(false);
    expect(lenient).toHaveBeenCalledOnce();
    using asNode = SslContext.fromNodeOptions({ ca: ca.certPem, checkServerIdentity });
    const { failure } = (await connectInMemory(asNode, wrong)).client;
    expect(failure).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    using good = serverContext();
    expect((await connectInMemory(asNode, good)).client.isOpen).toBe(true);
  });

  it('is at least as strict as Node by default', async () => {
    using context = nodeServer();
    using weak = clientContext({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', securityLevel: 0, ciphers: 'ALL' });
    expect((await connectInMemory(weak, context)).server.isOpen).toBe(false);
    using anonymous = clientContext({ ciphers: 'ADH-AES128-GCM-SHA256', securityLevel: 0 });
    expect((await connectInMemory(anonymous, context)).server.isOpen).toBe(false);
  });
});
