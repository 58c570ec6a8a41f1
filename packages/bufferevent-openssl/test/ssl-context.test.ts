import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createPfx, encryptKey, hasOpensslProgram, issue, type PkiFiles, writePki } from 'certificates';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { certificateNames } from '../src/certificates.js';
import {
  createSelfSignedCertificate,
  createTicketKey,
  OpensslError,
  type OpensslVerifyError,
  Ssl,
  SslBioPair,
  SslContext,
  type SslContextOptions,
} from '../src/index.js';
import { native } from '../src/native.js';
import {
  clientContext,
  connectInMemory,
  describeWithOpenssl,
  exchange,
  pki,
  serverContext,
  type TestConnection,
  thrownBy,
} from './in-memory.js';

const folder = mkdtempSync(join(tmpdir(), 'ssl-context-'));
let files: PkiFiles;

beforeAll(() => {
  files = writePki(pki, folder);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function verifyNameOf(failure: Error | null): string | undefined {
  return (failure as OpensslVerifyError | null)?.verifyName;
}

describeWithOpenssl('identities', () => {
  const leaf = (context: SslContext): string | undefined => context.certificates[0]?.serialNumber.toLowerCase();

  it.each([
    ['PEM as text', { cert: pki.server.chainPem, key: pki.server.keyPem }],
    ['PEM as bytes', { cert: Buffer.from(pki.server.chainPem), key: Buffer.from(pki.server.keyPem) }],
    ['DER', { cert: pki.server.certDer, key: pki.server.keyDer }],
    ['SEC 1', { cert: pki.server.certPem, key: reencoded('sec1', 'pem') }],
    ['SEC 1 in DER', { cert: pki.server.certPem, key: reencoded('sec1', 'der') }],
  ])('are read from %s', (_, options: SslContextOptions) => {
    using context = new SslContext(options);
    expect(leaf(context)).toBe(pki.server.serialNumber.toLowerCase());
  });

  it('are read from PKCS#1', () => {
    const key = createPrivateKey(pki.serverRsa.keyPem).export({ type: 'pkcs1', format: 'der' });
    using context = new SslContext({ cert: pki.serverRsa.certPem, key });
    expect(leaf(context)).toBe(pki.serverRsa.serialNumber.toLowerCase());
  });

  it('carry their chain', () => {
    using context = serverContext();
    const [own, intermediate, ...others] = context.certificates;
    expect(own).toBeInstanceOf(X509Certificate);
    expect(intermediate?.subject).toBe('CN=Test Intermediate');
    expect(others).toEqual([]);
  });

  it('can be of two kinds, of which each client gets the one that it knows', async () => {
    const both = {
      cert: [pki.server.chainPem, pki.serverRsa.chainPem],
      key: [pki.serverRsa.keyPem, pki.server.keyPem],
    };
    using server = new SslContext(both);
    const kindFor = async (ciphers: string): Promise<string | undefined> => {
      using client = clientContext({ ciphers });
      const connection = await connectInMemory(client, server);
      return connection.client.ssl.peerCertificate?.publicKey.asymmetricKeyType;
    };
    expect(await kindFor('ECDHE-ECDSA-AES128-GCM-SHA256')).toBe('ec');
    expect(await kindFor('ECDHE-RSA-AES128-GCM-SHA256')).toBe('rsa');
  });

  it('are read from encrypted keys, with one passphrase for all or one for each', () => {
    const { pem, der } = encryptKey(pki.server, 'secret');
    const cert = pki.server.certPem;
    for (const options of [
      { cert, key: pem, passphrase: 'secret' },
      { cert, key: der, passphrase: 'secret' },
      { cert, key: { pem, passphrase: 'secret' }, passphrase: 'wrong' },
      { cert, key: [{ pem: der, passphrase: 'secret' }] },
    ]) {
      using context = new SslContext(options);
      expect(leaf(context)).toBe(pki.server.serialNumber.toLowerCase());
    }
  });

  it.each([
    ['a wrong passphrase', { key: encryptKey(pki.server, 'secret').pem, passphrase: 'wrong' }],
    ['no passphrase', { key: encryptKey(pki.server, 'secret').pem }],
    ['no passphrase, in DER', { key: encryptKey(pki.server, 'secret').der }],
    ['the key of another certificate', { key: pki.client.keyPem }],
    ['the key of another kind', { key: pki.serverRsa.keyPem }],
    ['no key', {}],
    ['what is no key', { key: Buffer.from('nothing') }],
  ])('are refused with %s', (_, options: SslContextOptions) => {
    const error = thrownBy(() => new SslContext({ cert: pki.server.certPem, ...options }));
    expect(error).toBeInstanceOf(OpensslError);
    expect(error['code']).toBe('ERR_OPENSSL_KEY');
    expect((error as unknown as OpensslError).opensslErrors.length).toBeGreaterThan(0);
    expect((error as unknown as OpensslError).opensslCode).toBeGreaterThan(0);
    expect(error.message).not.toContain('nothing');
  });

  it('are refused when their certificate can not be read, and what OpenSSL says is told', () => {
    const spoilt = pki.server.certPem.replace(/M[A-Za-z]/, '!!');
    const error = thrownBy(() => new SslContext({ cert: spoilt, key: pki.server.keyPem }));
    expect(error['code']).toBe('ERR_OPENSSL_CERTIFICATE');
    expect(error.message).toMatch(/certificate \(cert\).+: .+/);
  });

  it('come as PKCS#12 too', async () => {
    if (!hasOpensslProgram('contexts of PKCS#12')) return;
    const buf = createPfx(pki.server, 'secret', pki.ca.certPem);
    const pfxFile = join(folder, 'server.p12');
    writeFileSync(pfxFile, buf);
    for (const options of [
      { pfx: buf, passphrase: 'secret' },
      { pfx: [{ buf, passphrase: 'secret' }] },
      { pfxFile, passphrase: 'secret' },
    ]) {
      using server = new SslContext(options);
      expect(server.certificates.map(({ subject }) => subject)).toEqual(['CN=localhost', 'CN=Test Intermediate']);
      using client = clientContext();
      expect((await connectInMemory(client, server)).client.failure).toBeNull();
    }
    expect(thrownBy(() => new SslContext({ pfx: buf, passphrase: 'wrong' }))['code']).toBe('ERR_OPENSSL_CERTIFICATE');
    expect(thrownBy(() => new SslContext({ pfx: buf }))['code']).toBe('ERR_OPENSSL_CERTIFICATE');
  });

  it('trust what PKCS#12 carries only when asked to', async () => {
    if (!hasOpensslProgram('trust in PKCS#12')) return;
    const pfx = createPfx(pki.client, 'secret', pki.ca.certPem);
    using server = serverContext();
    using distrusting = new SslContext({ pfx, passphrase: 'secret' });
    using trusting = new SslContext({ pfx, passphrase: 'secret', trustPfx: true });
    expect(verifyNameOf((await connectInMemory(distrusting, server)).client.failure)).toMatch('UNABLE_TO_GET_ISSUER');
    expect((await connectInMemory(trusting, server)).client.failure).toBeNull();
    const asking = { pfx, passphrase: 'secret', requestCert: true, rejectUnauthorized: false };
    using known = clientContext({ cert: pki.client.chainPem, key: pki.client.keyPem, rejectUnauthorized: false });
    for (const trustPfx of [false, true]) {
      using judging = new SslContext({ ...asking, trustPfx });
      const { ssl } = (await connectInMemory(known, judging)).server;
      expect(ssl.verifyError === null).toBe(trustPfx);
    }
  });

  it('are read from files, at once or while others go on', async () => {
    const { chain, key } = files.server;
    const encrypted = join(folder, 'encrypted.pem');
    writeFileSync(encrypted, encryptKey(pki.server, 'secret').pem);
    using atOnce = new SslContext({ certFile: chain, keyFile: pathToFileURL(key), caFile: [files.ca] });
    using later = await SslContext.load({ certFile: [chain], keyFile: encrypted, passphrase: 'secret' });
    for (const context of [atOnce, later]) expect(leaf(context)).toBe(pki.server.serialNumber.toLowerCase());
  });

  it('are refused with what the system says about their file', async () => {
    const options = { certFile: join(folder, 'nowhere.pem') };
    expect(thrownBy(() => new SslContext(options))).toMatchObject({ code: 'ENOENT', path: options.certFile });
    await expect(SslContext.load(options)).rejects.toMatchObject({ code: 'ENOENT', path: options.certFile });
  });

  it('can be made for a demonstration', async () => {
    const { key, cert } = createSelfSignedCertificate({ names: ['demo.example', '127.0.0.1'] });
    using server = new SslContext({ key, cert });
    using client = new SslContext({ ca: cert });
    expect((await connectInMemory(client, server, { servername: 'demo.example' })).client.failure).toBeNull();
    expect((await connectInMemory(client, server, { verifyName: '127.0.0.1' })).client.failure).toBeNull();
    expect(() => createSelfSignedCertificate({ names: ['a,DNS:b'] })).toThrow(TypeError);
    expect(() => createSelfSignedCertificate({ days: 0 })).toThrow(RangeError);
  });
});

function reencoded(type: 'sec1', format: 'pem' | 'der'): string | Uint8Array {
  const key = createPrivateKey(pki.server.keyPem);
  return format === 'pem' ? (key.export({ type, format }) as string) : key.export({ type, format });
}

describeWithOpenssl('options', () => {
  it.each([
    ['key', { key: 7 }],
    ['key', { key: '/etc/key.pem' }],
    ['key[1].pem', { key: [pki.server.keyPem, {}] }],
    ['cert', { cert: 'server.pem' }],
    ['pfx', { pfx: 'text' }],
    ['keyFile', { keyFile: 3 }],
    ['passphrase', { passphrase: Buffer.from('secret') }],
    ['crlCheck', { crlCheck: 'none' }],
    ['verify', { verify: true }],
    ['minVersion', { minVersion: 'TLSv1.4' }],
    ['maxVersion', { maxVersion: 'SSLv3' }],
    ['ciphers', { ciphers: ['AES'] }],
    ['ALPNProtocols', { ALPNProtocols: 'h2' }],
    ['ALPNProtocols[0]', { ALPNProtocols: [2] }],
    ['onClientHello', { onClientHello: {} }],
    ['psk', { psk: 'secret' }],
    ['psk.key', { psk: { identity: 'me', key: 'secret' } }],
    ['psk.identities', { psk: { identities: { me: 'secret' } } }],
    ['psk.identity', { psk: { identity: 'me', identities: {} } }],
    ['psk.key', { psk: { key: Buffer.from('secret'), identities: {} } }],
    ['crlCheck', { crlCheck: 'leaf' }],
    ['trustPfx', { trustPfx: true }],
    ['renegotiation', { renegotiation: 'allow' }],
    ['renegotiation.perMinute', { renegotiation: {} }],
    ['ocspResponse', { ocspResponse: 'no' }],
    ['sessionIdContext', { sessionIdContext: 1 }],
    ['sessionTimeout', { sessionTimeout: '1' }],
    ['sessionTickets', { sessionTickets: 1 }],
    ['ticketKeys', { ticketKeys: 'secret' }],
    ['keyLog', { keyLog: true }],
    ['requestCert', { requestCert: 1 }],
    // Whom would it trust?
    ['ca', { requestCert: true }],
  ])('of the wrong kind are a TypeError that names them: %s', (name, options) => {
    const error = thrownBy(() => new SslContext(options as SslContextOptions));
    expect(error).toBeInstanceOf(TypeError);
    expect(error['code']).toBe('ERR_INVALID_ARG_TYPE');
    expect(error.message).toContain(`"options.${name}"`);
    expect(error.message).not.toContain('secret');
  });

  it.each([
    ['minVersion', { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }],
    ['maxVersion', { maxVersion: 'TLSv1' }],
    ['ciphers', { ciphers: '' }],
    ['ciphers', { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', minVersion: 'TLSv1.3' }],
    ['ciphers', { ciphers: 'TLS_AES_128_GCM_SHA256', maxVersion: 'TLSv1.2' }],
    ['securityLevel', { securityLevel: 6 }],
    ['ALPNProtocols[0]', { ALPNProtocols: [''] }],
    ['ALPNProtocols', { ALPNProtocols: Uint8Array.of(2, 104) }],
    ['sessionIdContext', { sessionIdContext: 'x'.repeat(33) }],
    ['ticketKeys', { ticketKeys: new Uint8Array(48) }],
    ['psk.key', { psk: { identity: 'me', key: new Uint8Array(0) } }],
    ['renegotiation.perMinute', { renegotiation: { perMinute: 0 } }],
    ['ticketCount', { ticketCount: -1 }],
  ])('out of range are a RangeError that names them: %s', (name, options) => {
    const error = thrownBy(() => new SslContext(options as SslContextOptions));
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toContain(`"options.${name}"`);
  });

  it.each([
    ['ciphers', { ciphers: 'NO-SUCH-CIPHER:TLS_AES_128_GCM_SHA256' }],
    ['ciphers', { ciphers: 'TLS_NO_SUCH_SUITE' }],
    ['groups', { groups: 'no-such-group' }],
    ['sigalgs', { sigalgs: 'no-such-algorithm' }],
    ['dhparam', { dhparam: pki.server.certPem }],
  ])('that OpenSSL refuses are ERR_OPENSSL_SETTING: %s', (name, options: SslContextOptions) => {
    const error = thrownBy(() => new SslContext(options));
    expect(error['code']).toBe('ERR_OPENSSL_SETTING');
    expect(error.message).toContain(name);
  });

  it('do not include early data: it is refused', () => {
    const error = thrownBy(() => new SslContext({ earlyData: true } as SslContextOptions));
    expect(error['code']).toBe('ERR_OPENSSL_UNSUPPORTED');
  });

  it('that are refused leave no context behind, and no error of theirs in the thread', () => {
    const before = native().liveCounts();
    expect(() => new SslContext({ groups: 'no-such-group' })).toThrow(OpensslError);
    expect(native().liveCounts()).toEqual(before);
    // TL-23: a stale error makes this throw.
    expect(() => createPrivateKey(pki.server.keyPem)).not.toThrow();
  });
});

describeWithOpenssl('trust', () => {
  it.each([
    ['TLSv1.2', 'expired', 'CERT_HAS_EXPIRED'],
    ['TLSv1.3', 'expired', 'CERT_HAS_EXPIRED'],
    ['TLSv1.3', 'notYetValid', 'CERT_NOT_YET_VALID'],
    ['TLSv1.2', 'wrongHost', 'HOSTNAME_MISMATCH'],
    ['TLSv1.3', 'wrongHost', 'HOSTNAME_MISMATCH'],
    ['TLSv1.3', 'untrusted', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['TLSv1.3', 'client', 'INVALID_PURPOSE'],
  ] as const)('%s: a server with the certificate "%s" is refused: %s', async (maxVersion, name, reason) => {
    using server = new SslContext({ cert: pki[name].chainPem, key: pki[name].keyPem, maxVersion });
    using client = clientContext();
    const connection = await connectInMemory(client, server);
    const error = connection.client.failure as OpensslVerifyError;
    expect(error).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', depth: 0 });
    // OpenSSL tells either of the two first.
    if (name === 'untrusted') expect(error.verifyName).toMatch(/^UNABLE_TO_(VERIFY_LEAF|GET_ISSUER)/);
    else expect(error.verifyName).toBe(reason);
    expect(error.opensslErrors.length).toBeGreaterThan(0);
    expect((connection.server.failure as OpensslError | null)?.alert).toEqual(expect.any(Number));
  });

  it('covers addresses as well as names', async () => {
    using server = serverContext();
    using client = clientContext();
    for (const verifyName of ['127.0.0.1', '::1', 'localhost']) {
      expect((await connectInMemory(client, server, { verifyName })).client.failure).toBeNull();
    }
    const { client: end } = await connectInMemory(client, server, { verifyName: '127.0.0.2' });
    expect(verifyNameOf(end.failure)).toBe('IP_ADDRESS_MISMATCH');
  });

  it('covers wildcards for whole labels, and no others', async () => {
    const names = ['*.whole.example', 'p*.part.example'];
    const { chainPem: cert, certDer, keyPem: key } = await issue(pki.intermediate, { commonName: 'wildcards', names });
    using server = new SslContext({ cert, key });
    using client = clientContext();
    const failure = async (servername: string): Promise<Error | null> =>
      (await connectInMemory(client, server, { servername })).client.failure;
    expect(await failure('any.whole.example')).toBeNull();
    expect(verifyNameOf(await failure('one.more.whole.example'))).toBe('HOSTNAME_MISMATCH');
    expect(verifyNameOf(await failure('part.part.example'))).toBe('HOSTNAME_MISMATCH');
    // What resumed sessions are judged by.
    const certificate = new X509Certificate(certDer);
    expect(certificateNames(certificate, 'any.whole.example')).toBe(true);
    expect(certificateNames(certificate, 'one.more.whole.example')).toBe(false);
    expect(certificateNames(certificate, 'part.part.example')).toBe(false);
  });

  it('refuses what is revoked, and whose list is missing', async () => {
    using server = serverContext();
    using revoked = new SslContext({ cert: pki.revoked.chainPem, key: pki.revoked.keyPem });
    using leafOnly = clientContext({ crl: pki.crlPem, crlCheck: 'leaf' });
    using wholeChain = clientContext({ crl: [pki.crlDer, pki.caCrlPem] });
    using lacking = clientContext({ crl: pki.crlPem });
    for (const client of [leafOnly, wholeChain]) {
      expect((await connectInMemory(client, server)).client.failure).toBeNull();
      expect(verifyNameOf((await connectInMemory(client, revoked)).client.failure)).toBe('CERT_REVOKED');
    }
    expect(verifyNameOf((await connectInMemory(lacking, server)).client.failure)).toBe('UNABLE_TO_GET_CRL');
  });

  it('can end at an intermediate, when that is allowed', async () => {
    using server = serverContext();
    using strict = new SslContext({ ca: pki.intermediate.certPem });
    using partial = new SslContext({ ca: pki.intermediate.certPem, allowPartialTrustChain: true });
    expect((await connectInMemory(strict, server)).client.failure).not.toBeNull();
    expect((await connectInMemory(partial, server)).client.failure).toBeNull();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: servers can ask clients for certificates', async (maxVersion) => {
    using server = serverContext({ ca: pki.ca.certPem, requestCert: true, maxVersion });
    using known = clientContext({ cert: pki.client.chainPem, key: pki.client.keyPem });
    using untrusted = clientContext({ cert: pki.untrustedClient.chainPem, key: pki.untrustedClient.keyPem });
    using nobody = clientContext();
    const good = await connectInMemory(known, server);
    expect([good.client.failure, good.server.failure]).toEqual([null, null]);
    expect(good.server.ssl.peerCertificate?.subject).toBe('CN=Test Client');
    expect(good.server.ssl.verifiedChain.map(({ subject }) => subject)).toEqual([
      'CN=Test Client',
      'CN=Test Intermediate',
      'CN=Test CA',
    ]);
    for (const client of [untrusted, nobody]) {
      const bad = await connectInMemory(client, server);
      expect(bad.server.isOpen).toBe(false);
      expect((bad.client.failure as OpensslError | null)?.alert).toEqual(expect.any(Number));
    }
  });

  it('in clients can be left to the user, who sees what is wrong', async () => {
    using server = serverContext({ ca: pki.ca.certPem, requestCert: true, rejectUnauthorized: false });
    using untrusted = clientContext({ cert: pki.untrustedClient.chainPem, key: pki.untrustedClient.keyPem });
    using nobody = clientContext();
    const first = await connectInMemory(untrusted, server);
    expect(first.server.isOpen).toBe(true);
    expect(first.server.ssl.verifyError).not.toBeNull();
    const second = await connectInMemory(nobody, server);
    expect(second.server.isOpen).toBe(true);
    expect(second.server.ssl.peerCertificate).toBeNull();
  });

  it('in servers can be given up, and what is wrong is told', async () => {
    using server = new SslContext({ cert: pki.expired.chainPem, key: pki.expired.keyPem });
    using client = clientContext({ rejectUnauthorized: false });
    const { client: end } = await connectInMemory(client, server, {});
    expect(end.isOpen).toBe(true);
    expect(end.ssl.verifyError?.verifyName).toBe('CERT_HAS_EXPIRED');
  });
});

describeWithOpenssl('verify()', () => {
  const expired = (): SslContext => new SslContext({ cert: pki.expired.chainPem, key: pki.expired.keyPem });

  it.each([
    ['nothing', undefined, false, true],
    ['true', true, true, true],
    ['false', false, false, false],
    ['an error', new Error('not you'), false, false],
    ['a promise of nothing', Promise.resolve(undefined), false, true],
    ['a promise of true', Promise.resolve(true), true, true],
    ['a promise of false', Promise.resolve(false), false, false],
    ['a number', 1 as unknown as boolean, false, false],
  ])('answers %s', async (_, answer, acceptsExpired, acceptsGood) => {
    using client = clientContext({ verify: () => answer });
    using bad = expired();
    using good = serverContext();
    expect((await connectInMemory(client, bad)).client.isOpen).toBe(acceptsExpired);
    expect((await connectInMemory(client, good)).client.isOpen).toBe(acceptsGood);
  });

  it('refuses by throwing and rejecting, and its error is the cause', async () => {
    const cause = new Error('not you');
    using server = serverContext();
    using throwing = clientContext({
      verify: () => {
        throw cause;
      },
    });
    using rejecting = clientContext({ verify: () => Promise.reject(cause) });
    for (const client of [throwing, rejecting]) {
      const { failure } = (await connectInMemory(client, server)).client;
      expect(failure).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', verifyName: 'APPLICATION_VERIFICATION', cause });
    }
  });

  it('is told of the peer, and of what OpenSSL has found', async () => {
    const verify = vi.fn(() => true);
    using server = expired();
    using client = clientContext({ verify });
    const { client: end } = await connectInMemory(client, server);
    expect(verify).toHaveBeenCalledOnce();
    const [ssl, { chain, error, servername }] = verify.mock.calls[0] as unknown as Parameters<
      NonNullable<SslContextOptions['verify']>
    >;
    expect(ssl).toBe(end.ssl);
    expect(chain.map(({ subject }) => subject)).toEqual(['CN=localhost', 'CN=Test Intermediate']);
    expect(error?.verifyName).toBe('CERT_HAS_EXPIRED');
    expect(servername).toBe('localhost');
  });

  it('of a server has its say on clients', async () => {
    using server = serverContext({ requestCert: true, verify: (_, { chain }) => chain.length > 0 });
    using known = clientContext({ cert: pki.untrustedClient.chainPem, key: pki.untrustedClient.keyPem });
    using nobody = clientContext();
    expect((await connectInMemory(known, server)).server.isOpen).toBe(true);
    expect((await connectInMemory(nobody, server)).server.isOpen).toBe(false);
  });
});

describeWithOpenssl('verify() of a context that asks clients for nothing', () => {
  it('is about servers only', async () => {
    const verify = vi.fn(() => false);
    using both = serverContext({ verify });
    using client = clientContext();
    expect((await connectInMemory(client, both)).server.isOpen).toBe(true);
    expect(verify).not.toHaveBeenCalled();
    expect((await connectInMemory(both, both)).client.isOpen).toBe(false);
  });
});

describeWithOpenssl('what is spoken', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('can be %s only', async (version) => {
    using server = serverContext({ minVersion: version, maxVersion: version });
    using client = clientContext();
    expect((await connectInMemory(client, server)).client.ssl.protocol).toBe(version);
  });

  it('is TLS 1.2 at least, unless older is asked for with a lower level of security', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', securityLevel: 0 } as const;
    using oldClient = clientContext({ ...old, ciphers: 'ALL' });
    using server = serverContext();
    using oldServer = serverContext({ ...old, ciphers: 'ALL' });
    expect((await connectInMemory(oldClient, server)).server.failure).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE' });
    expect((await connectInMemory(oldClient, oldServer)).client.ssl.protocol).toBe('TLSv1.1');
  });

  it('follows a list of ciphers, which limits the versions to those it has names for', async () => {
    using server = serverContext();
    const agreed = async (ciphers: string): Promise<[string | null, string | undefined]> => {
      using client = clientContext({ ciphers });
      const { ssl } = (await connectInMemory(client, server)).client;
      return [ssl.protocol, ssl.cipher?.name];
    };
    expect(await agreed('TLS_CHACHA20_POLY1305_SHA256')).toEqual(['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256']);
    expect(await agreed('ECDHE-ECDSA-AES256-GCM-SHA384')).toEqual(['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384']);
    expect(await agreed('ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256')).toEqual([
      'TLSv1.3',
      'TLS_AES_128_GCM_SHA256',
    ]);
  });

  it('is chosen by the server, unless it leaves that to the client', async () => {
    const [first, second] = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'];
    using client = clientContext({ ciphers: `${first}:${second}` });
    using choosing = serverContext({ ciphers: `${second}:${first}` });
    using yielding = serverContext({ ciphers: `${second}:${first}`, honorCipherOrder: false });
    expect((await connectInMemory(client, choosing)).client.ssl.cipher?.name).toBe(second);
    expect((await connectInMemory(client, yielding)).client.ssl.cipher?.name).toBe(first);
  });

  it('uses the groups that are named', async () => {
    using server = serverContext();
    using client = clientContext({ groups: 'P-384' });
    const { ssl } = (await connectInMemory(client, server)).client;
    expect(ssl.group).toMatch(/secp384r1|P-384/);
  });

  it('refuses keys that are too weak for the level of security', async () => {
    using server = serverContext({ ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' });
    // 256 bits of ECDSA are good for 128 bits.
    using strict = clientContext({ securityLevel: 4, ciphers: 'ALL' });
    expect((await connectInMemory(strict, server)).client.isOpen).toBe(false);
  });

  it('is chosen by ALPN in the order of the server, and refused when nothing is in common', async () => {
    using server = serverContext({ ALPNProtocols: ['h2', 'http/1.1'] });
    using both = clientContext({ ALPNProtocols: ['http/1.1', 'h2'] });
    using other = clientContext({ ALPNProtocols: ['smtp'] });
    using none = clientContext();
    const { client, server: serving } = await connectInMemory(both, server);
    expect([client.ssl.alpnProtocol, serving.ssl.alpnProtocol]).toEqual(['h2', 'h2']);
    // no_application_protocol
    expect((await connectInMemory(other, server)).client.failure).toMatchObject({ alert: 120 });
    expect((await connectInMemory(none, server)).client.ssl.alpnProtocol).toBeNull();
    const own = await connectInMemory(none, server, { servername: 'localhost', ALPNProtocols: ['http/1.1'] });
    expect(own.client.ssl.alpnProtocol).toBe('http/1.1');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: can rest on a pre-shared key', async (maxVersion) => {
    const key = new Uint8Array(32).fill(7);
    using server = new SslContext({ psk: { identities: new Map([['me', key]]), hint: 'who?' }, maxVersion });
    using client = new SslContext({ psk: { identity: 'me', key }, maxVersion });
    using wrong = new SslContext({ psk: { identity: 'me', key: new Uint8Array(32).fill(8) }, maxVersion });
    const connection = await connectInMemory(client, server);
    expect([connection.client.failure, connection.server.failure]).toEqual([null, null]);
    expect((await connectInMemory(wrong, server)).server.isOpen).toBe(false);
    server.setPsk({ identities: { you: key } });
    expect((await connectInMemory(client, server)).server.isOpen).toBe(false);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '%s: a server with a certificate takes pre-shared keys, too',
    async (maxVersion) => {
      const key = new Uint8Array(32).fill(7);
      using server = serverContext({ psk: { identities: { me: key } }, maxVersion });
      using client = new SslContext({ psk: { identity: 'me', key }, maxVersion });
      const connection = await connectInMemory(client, server, { verifyName: null });
      expect([connection.client.failure, connection.server.failure]).toEqual([null, null]);
      expect(connection.client.ssl.peerCertificate).toBeNull();
      expect((await connectInMemory(clientContext({ maxVersion }), server)).client.failure).toBeNull();
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: setPsk() replaces keys of both sides', async (maxVersion) => {
    const key = new Uint8Array(32).fill(7);
    using client = new SslContext({ psk: { identity: 'me', key }, maxVersion });
    using server = new SslContext({ psk: { identities: { me: key } }, onClientHello: () => null, maxVersion });
    server.setPsk({ identity: 'me', key });
    expect((await connectInMemory(client, server)).server.isOpen).toBe(false);
    client.setPsk({ identities: { me: key } });
    server.setPsk({ identities: { me: key } });
    expect((await connectInMemory(client, server)).server.isOpen).toBe(false);
  });

  it('can rest on a pre-shared key that comes later, and no more on one that has gone', async () => {
    const key = new Uint8Array(32).fill(7);
    using client = new SslContext({ psk: { identity: 'me', key } });
    using server = new SslContext();
    server.setPsk({ identities: { me: key } });
    const connection = await connectInMemory(client, server);
    expect([connection.client.failure, connection.server.failure]).toEqual([null, null]);
    server.setPsk({ identity: 'me', key });
    expect(thrownBy(() => new SslBioPair(new Ssl(server), 'accepting'))['code']).toBe('ERR_OPENSSL_CERTIFICATE');
  });

  it('staples an OCSP response, which can be replaced, for clients that ask', async () => {
    using server = serverContext({ ocspResponse: Uint8Array.of(1, 2, 3) });
    using client = clientContext();
    const asked = async (requestOcsp: boolean): Promise<Uint8Array | null> =>
      (await connectInMemory(client, server, { servername: 'localhost', requestOcsp })).client.ssl.ocspResponse;
    expect(await asked(false)).toBeNull();
    expect(await asked(true)).toEqual(Uint8Array.of(1, 2, 3));
    server.setOcspResponse(Uint8Array.of(4));
    expect(await asked(true)).toEqual(Uint8Array.of(4));
    server.setOcspResponse(null);
    expect(await asked(true)).toBeNull();
    expect(() => server.setOcspResponse('no' as never)).toThrow(TypeError);
  });
});

describeWithOpenssl('renegotiation', () => {
  /** TLS 1.2, and the client asks for a new handshake before it sends something. */
  async function renegotiated(server: SslContext): Promise<TestConnection> {
    const connection = await connectInMemory(clientContext({ maxVersion: 'TLSv1.2' }), server);
    native().sslRenegotiate(connection.client.ssl.start('open'));
    connection.client.pair.write('afterwards');
    await exchange(connection);
    return connection;
  }

  it('is refused by default', async () => {
    const { client, server } = await renegotiated(serverContext());
    expect(client.failure).toMatchObject({ code: 'ERR_OPENSSL_PROTOCOL' });
    expect(server.text()).toBe('');
  });

  it('can be allowed', async () => {
    using context = serverContext({ renegotiation: { perMinute: 1 } });
    const { client, server } = await renegotiated(context);
    expect([client.failure, server.failure, server.text()]).toEqual([null, null, 'afterwards']);
    expect(context.sessionStats().serverRenegotiations).toBe(1);
  });
});

describeWithOpenssl('answers that throw when they are looked at', () => {
  const cause = new Error('no answer');
  const answer = (): never => {
    const thenable = Object.defineProperty({}, 'then', {
      get() {
        throw cause;
      },
    });
    return thenable as never;
  };

  it('of verify() refuse the peer', async () => {
    const { client } = await connectInMemory(clientContext({ verify: answer }), serverContext());
    expect(client.failure).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', cause });
  });

  it('of onClientHello() refuse the client', async () => {
    const { server } = await connectInMemory(clientContext(), serverContext({ onClientHello: answer }));
    expect(server.failure).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE', cause });
  });
});

describeWithOpenssl('onClientHello()', () => {
  it.each(['at once', 'after a while'])('chooses another context by the name, %s', async (when) => {
    using other = new SslContext({ cert: pki.otherHost.chainPem, key: pki.otherHost.keyPem });
    const onClientHello = vi.fn(({ servername }: { servername: string | null }) => {
      const chosen = servername === 'other.example' ? other : null;
      return when === 'at once' ? chosen : Promise.resolve(chosen);
    });
    using server = serverContext({ onClientHello });
    using client = clientContext({ ALPNProtocols: ['a', 'b'] });
    const named = await connectInMemory(client, server, { servername: 'other.example' });
    expect([named.client.failure, named.server.failure]).toEqual([null, null]);
    expect(named.client.ssl.peerCertificate?.subject).toBe('CN=other.example');
    expect(named.server.ssl.context).toBe(other);
    expect(named.server.ssl.servername).toBe('other.example');
    expect((await connectInMemory(client, server)).client.ssl.peerCertificate?.subject).toBe('CN=localhost');
    expect(onClientHello).toHaveBeenCalledTimes(2);
    expect(onClientHello.mock.calls[0]?.[0]).toEqual({ servername: 'other.example', alpnProtocols: ['a', 'b'] });
  });

  it('hands over verification and versions too', async () => {
    using strict = serverContext({ ca: pki.ca.certPem, requestCert: true, maxVersion: 'TLSv1.2' });
    using server = serverContext({ onClientHello: () => strict });
    using nobody = clientContext();
    using known = clientContext({ cert: pki.client.chainPem, key: pki.client.keyPem });
    expect((await connectInMemory(nobody, server)).server.isOpen).toBe(false);
    const { client, server: serving } = await connectInMemory(known, server);
    expect(client.ssl.protocol).toBe('TLSv1.2');
    expect(serving.ssl.peerCertificate?.subject).toBe('CN=Test Client');
  });

  it('refuses by throwing', async () => {
    const cause = new Error('nobody of that name');
    using server = serverContext({
      onClientHello: () => {
        throw cause;
      },
    });
    using client = clientContext();
    const connection = await connectInMemory(client, server);
    expect(connection.server.failure).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE', cause });
    expect((connection.client.failure as OpensslError).alert).toEqual(expect.any(Number));
  });
});

describeWithOpenssl('sessions', () => {
  async function session(client: SslContext, server: SslContext): Promise<Uint8Array> {
    const sessions: Uint8Array[] = [];
    const onSession = (bytes: Uint8Array): void => void sessions.push(bytes);
    await connectInMemory(client, server, { servername: 'localhost', onSession });
    await Promise.resolve();
    const last = sessions.at(-1);
    if (last === undefined) throw new Error('there was no session');
    return last;
  }

  async function isResumed(client: SslContext, server: SslContext, bytes: Uint8Array): Promise<boolean> {
    const connection = await connectInMemory(client, server, { servername: 'localhost', session: bytes });
    expect([connection.client.failure, connection.server.failure]).toEqual([null, null]);
    const both = [connection.client.ssl.isSessionReused, connection.server.ssl.isSessionReused];
    expect(both[0]).toBe(both[1]);
    return both[0] as boolean;
  }

  it.each([
    ['TLSv1.2', 'tickets', {}],
    ['TLSv1.3', 'tickets', {}],
    ['TLSv1.2', 'the cache', { sessionTickets: false }],
    ['TLSv1.3', 'the cache', { sessionTickets: false }],
  ] as const)('%s: are resumed by %s', async (maxVersion, _, options) => {
    using server = serverContext({ maxVersion, ...options });
    using client = clientContext();
    expect(await isResumed(client, server, await session(client, server))).toBe(true);
    expect(server.sessionStats().hits).toBe(1);
    expect(server.sessionStats().accepts).toBeGreaterThanOrEqual(2);
    expect(client.sessionStats().connects).toBeGreaterThanOrEqual(2);
  });

  it('are not resumed where there is neither', async () => {
    using server = serverContext({ sessionTickets: false, sessionCacheSize: 0 });
    using client = clientContext();
    const { client: end } = await connectInMemory(client, server);
    expect(end.ssl.session).toBeNull();
  });

  it('live as long as they are allowed to', async () => {
    const lifetime = async (options: SslContextOptions): Promise<Buffer> =>
      Buffer.from(await session(clientContext(), serverContext({ maxVersion: 'TLSv1.2', ...options })));
    // The hint that the server gives with its ticket, an INTEGER in the DER of the session.
    const [long, usual] = [Buffer.of(2, 2, 0x04, 0xd2), Buffer.of(2, 2, 0x01, 0x2c)];
    expect((await lifetime({ sessionTimeout: 1234 })).includes(long)).toBe(true);
    expect((await lifetime({})).includes(usual)).toBe(true);
  });

  it('are forgotten by flushSessions()', async () => {
    using server = serverContext({ sessionTickets: false, maxVersion: 'TLSv1.2' });
    using client = clientContext();
    const bytes = await session(client, server);
    expect(server.sessionStats().cached).toBe(1);
    server.flushSessions();
    expect(server.sessionStats().cached).toBe(0);
    expect(await isResumed(client, server, bytes)).toBe(false);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: are shared by servers with the same keys', async (maxVersion) => {
    const [old, fresh] = [createTicketKey(), createTicketKey()];
    using first = serverContext({ maxVersion, ticketKeys: old });
    using second = serverContext({ maxVersion, ticketKeys: [fresh, old] });
    using third = serverContext({ maxVersion, ticketKeys: fresh });
    using stranger = serverContext({ maxVersion });
    using client = clientContext();
    const bytes = await session(client, first);
    expect(await isResumed(client, second, bytes)).toBe(true);
    expect(await isResumed(client, third, bytes)).toBe(false);
    expect(await isResumed(client, stranger, bytes)).toBe(false);
    third.setTicketKeys([fresh, old]);
    expect(await isResumed(client, third, bytes)).toBe(true);
    expect(() => third.setTicketKeys(new Uint8Array(79))).toThrow(RangeError);
  });

  it.each([
    ['asks for no certificate', { ca: pki.ca.certPem }],
    ['asks for one, and takes any', { ca: pki.ca.certPem, requestCert: true, rejectUnauthorized: false }],
    ['trusts others', { ca: pki.otherCa.certPem, requestCert: true }],
  ])('of a server that %s are not resumed into one that judges clients in another way', async (_, options) => {
    const ticketKeys = createTicketKey();
    const strict = { ca: pki.ca.certPem, requestCert: true };
    using other = serverContext({ ...options, ticketKeys });
    using server = serverContext({ ...strict, ticketKeys });
    using stranger = clientContext({ cert: pki.untrustedClient.chainPem, key: pki.untrustedClient.keyPem });
    const bytes = await session(stranger, other);
    const connection = await connectInMemory(stranger, server, { servername: 'localhost', session: bytes });
    expect(connection.server.isOpen).toBe(false);
    expect(connection.server.ssl.isSessionReused).toBe(false);
  });

  it('of a client with a certificate are resumed where clients are judged alike', async () => {
    const options = { ca: pki.ca.certPem, requestCert: true, ticketKeys: createTicketKey() };
    using server = serverContext(options);
    using twin = serverContext(options);
    using known = clientContext({ cert: pki.client.chainPem, key: pki.client.keyPem });
    expect(await isResumed(known, twin, await session(known, server))).toBe(true);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: of another name are refused', async (maxVersion) => {
    using server = serverContext({ maxVersion });
    using client = clientContext();
    using lenient = clientContext({ verify: () => undefined });
    const bytes = await session(client, server);
    for (const context of [client, lenient]) {
      const options = { servername: 'other.example', session: bytes };
      const { failure } = (await connectInMemory(context, server, options)).client;
      expect(failure).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', verifyName: 'HOSTNAME_MISMATCH' });
    }
  });

  it('that were made without verification are refused with it', async () => {
    using server = new SslContext({ cert: pki.untrusted.chainPem, key: pki.untrusted.keyPem });
    using lenient = clientContext({ rejectUnauthorized: false });
    using strict = clientContext();
    const bytes = await session(lenient, server);
    const { failure } = (await connectInMemory(strict, server, { servername: 'localhost', session: bytes })).client;
    expect(failure).toMatchObject({ code: 'ERR_OPENSSL_VERIFY' });
  });

  it('that can not be read are ERR_OPENSSL_SESSION', () => {
    using client = clientContext();
    using ssl = new Ssl(client, { servername: 'localhost', session: Uint8Array.of(1, 2, 3) });
    const error = thrownBy(() => ssl.start('connecting'));
    expect(error['code']).toBe('ERR_OPENSSL_SESSION');
    expect((error as unknown as OpensslError).opensslErrors.length).toBeGreaterThan(0);
  });
});

describeWithOpenssl('the key log', () => {
  it('gets the secrets of connections', async () => {
    const keyLog = vi.fn();
    using server = serverContext();
    using client = clientContext({ keyLog });
    const { client: end } = await connectInMemory(client, server);
    await Promise.resolve();
    const labels = keyLog.mock.calls.map(([line]) => (line as string).split(' ')[0]);
    expect(labels).toContain('CLIENT_TRAFFIC_SECRET_0');
    expect(keyLog.mock.calls[0]?.[1]).toBe(end.ssl);
  });

  it('is appended to a file that only its owner can read', async () => {
    const path = join(folder, 'keys.log');
    using server = serverContext({ maxVersion: 'TLSv1.2' });
    using client = clientContext({ keyLog: pathToFileURL(path) });
    for (let round = 1; round <= 2; round++) {
      await connectInMemory(client, server);
      await Promise.resolve();
      expect(readFileSync(path, 'utf8').match(/^CLIENT_RANDOM [0-9a-f]+ [0-9a-f]+$/gm)).toHaveLength(round);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is taken from the environment only when asked to', async () => {
    const path = join(folder, 'environment.log');
    vi.stubEnv('SSLKEYLOGFILE', path);
    try {
      using server = serverContext();
      using deaf = clientContext();
      await connectInMemory(deaf, server);
      expect(() => statSync(path)).toThrow();
      using client = clientContext({ keyLogFromEnvironment: true });
      await connectInMemory(client, server);
      await Promise.resolve();
      expect(readFileSync(path, 'utf8')).toContain('CLIENT_TRAFFIC_SECRET_0');
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describeWithOpenssl('the life of a context', () => {
  it('ends with free(), for what is new: connections that there are go on', async () => {
    const server = serverContext();
    const client = clientContext();
    const connection = await connectInMemory(client, server);
    server.free();
    client.free();
    client.free();
    expect(server.isFreed).toBe(true);
    connection.client.pair.write('hello');
    await exchange(connection);
    expect(connection.server.text()).toBe('hello');
    for (const call of [
      () => server.certificates,
      () => server.sessionStats(),
      () => server.setTicketKeys([]),
      () => new Ssl(server).start('accepting'),
    ]) {
      expect(thrownBy(call)['code']).toBe('ERR_OPENSSL_FREED');
    }
  });

  it('ends by itself when it is forgotten', async () => {
    const collect = globalThis.gc as () => void;
    const [before] = native().liveCounts();
    (() => new SslContext())();
    expect(native().liveCounts()[0]).toBe(before + 1);
    await vi.waitFor(() => {
      collect();
      expect(native().liveCounts()[0]).toBeLessThanOrEqual(before);
    });
  });
});
