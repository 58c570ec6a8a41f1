import { once } from 'node:events';
import {
  type AddressInfo,
  connect as connectPlain,
  createServer as createPlainServer,
  type Server,
  type Socket,
} from 'node:net';
import { connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import {
  type Backend,
  type BuffereventEvent,
  type BuffereventHandlers,
  EventBase,
  type SocketBufferevent,
} from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { netBackend } from 'bufferevent-net';
import {
  type ConnectTlsOptions,
  connectTls,
  type ListenTlsOptions,
  type OpensslError,
  type OpensslVerifyError,
  renegotiate,
  type TlsOutcome,
  tlsOutcome,
} from 'bufferevent-openssl';
import { createTestPki, issue, type TestCertificate, type TestPki } from 'certificates';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ObservedServer, type Outcome } from '../src/observed-server.js';
import { Program } from '../src/program.js';
import { type Judgement, type PassingRecord, type RecordProxy, startRecordProxy } from '../src/record-proxy.js';
import { type Version, versions } from '../src/settings.js';
import { isAddonUsable, isUsable } from '../src/usable.js';

let pki: TestPki;
let expiredClient: TestCertificate;
beforeAll(async () => {
  pki = await createTestPki();
  expiredClient = await issue(pki.intermediate, {
    commonName: 'Expired Client',
    usages: ['client'],
    fromDays: -20,
    untilDays: -10,
  });
});

/** Where a backend is missing, its tests are skipped with one line that says so; with REQUIRE_TOOLS=1 they run, and fail. */
function isBackendUsable(backend: Backend): boolean {
  if (backend.isAvailable() || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: misbehaving peers on ${backend.name}: ${backend.unavailabilityReason()}`);
  return false;
}

const describeOurs = describe.skipIf(!isAddonUsable());
const hasOpenssl = isUsable('renegotiation by s_client', ['openssl']);
const backends = [netBackend, epollBackend].filter(isBackendUsable);
const everywhere = backends.flatMap((backend) => versions.map((version) => ({ backend, name: backend.name, version })));
const onEach = backends.map((backend) => ({ backend, name: backend.name }));

const identity = ({ chainPem, keyPem }: TestCertificate) => ({ cert: chainPem, key: keyPem });
const only = (version: Version) => ({ minVersion: version, maxVersion: version });

/** Our server, gone when the test is over. */
async function serve(backend: Backend, options: Omit<ListenTlsOptions, 'base'> = {}): Promise<ObservedServer> {
  const server = await ObservedServer.start(backend, { ...identity(pki.server), ...options });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function proxyTo(port: number, judge?: (record: PassingRecord) => Judgement): Promise<RecordProxy> {
  const proxy = await startRecordProxy(port, judge);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server that is not ours, and echoes. */
function serveByNode(options: TlsOptions): Promise<number> {
  const server = createServer({ ...identity(pki.server), ...options }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.on('connection', (socket) => onTestFinished(() => void socket.destroy()));
  return listening(server);
}

/** A client that is not ours; what becomes of it is for the caller to see. */
function connectByNode(port: number, options: object = {}): TLSSocket {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: pki.ca.certPem, ...options });
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** The same, which sends a word, and may get it back. Its own end is nothing that matters. */
function greetByNode(port: number, options: object = {}): TLSSocket {
  const socket = connectByNode(port, options);
  socket.on('error', () => {});
  socket.write('hello');
  return socket;
}

/** Resolves when the word is back, or when it won't come any more. */
function answered(socket: TLSSocket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
}

function connectPlainly(port: number): Socket {
  const socket = connectPlain({ port, host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => {});
}

/** Whoever did what before: the next one is served, and nothing was told twice. */
async function expectGoingOn(server: ObservedServer, options: object = {}): Promise<void> {
  const socket = greetByNode(server.port, options);
  expect(await answered(socket)).toBe(true);
  socket.end();
  const outcome = await server.outcome();
  expect(outcome).toMatchObject({ stage: 'open', received: 'hello', end: { kind: 'clean' } });
  expect(server.unasked).toEqual([]);
  expect(server.listener.stats()).toMatchObject({ handshaking: 0 });
}

function expectHandshakeError(outcome: Outcome, code: string): Error & { code?: string } {
  if (outcome.stage !== 'handshake') throw new Error(`a connection was handed out, and ended: ${outcome.end.kind}`);
  expect(outcome.error).toMatchObject({ code });
  return outcome.error;
}

/** What a client of ours comes to: refused by `connectTls`, or open and then ended in some way. */
interface ClientOutcome {
  readonly refusal: (Error & { code?: string }) | null;
  readonly received: string;
  readonly events: readonly BuffereventEvent[];
  readonly end: TlsOutcome | null;
}

/** A client of ours that sends a word, and does `then` when it is back. */
async function greet(
  backend: Backend,
  options: Partial<ConnectTlsOptions> & { readonly port: number },
  then: (bev: SocketBufferevent) => void = () => {},
): Promise<ClientOutcome> {
  const base = new EventBase({ backend });
  onTestFinished(() => base[Symbol.asyncDispose]());
  const events: BuffereventEvent[] = [];
  let received = '';
  const handlers: BuffereventHandlers = {
    onRead(bev) {
      received += bev.input.toString('latin1');
      bev.input.drain(bev.input.length);
      if (received === 'hello') then(bev as SocketBufferevent);
    },
    onEvent(bev, event) {
      if (event.kind === 'connected') return;
      events.push(event);
      if (event.kind === 'eof') void bev.end();
      else bev.free();
    },
  };
  let bev: SocketBufferevent;
  try {
    bev = await connectTls(
      { ip: '127.0.0.1', servername: 'localhost', ca: pki.ca.certPem, base, ...options } as ConnectTlsOptions,
      handlers,
    );
  } catch (error) {
    return { refusal: error as Error, received, events, end: null };
  }
  const ending = tlsOutcome(bev);
  bev.write('hello');
  const end = await ending;
  return { refusal: null, received, events, end };
}

const cuts = [
  ['server', 'reset'],
  ['client', 'reset'],
  ['server', 'end'],
  ['client', 'end'],
] as const;

/**
 * How a connection can end that was cut in the handshake, or behind it. Where data and a reset come at once, the event
 * loop under `net` tells the end of the stream instead of the reset.
 */
function codesOfCut(backend: Backend, how: 'end' | 'reset'): readonly string[] {
  const ended = ['ERR_BUFFEREVENT_UNEXPECTED_END', 'ERR_OPENSSL_TRUNCATED'];
  if (how === 'end') return ended;
  return backend === netBackend ? ['ECONNRESET', 'EPIPE', ...ended] : ['ECONNRESET', 'EPIPE'];
}

describeOurs.each(everywhere)('on $name over $version, a server of ours', ({ backend, version }) => {
  it('TL-8: tells a truncation from an end, after the data that came before it', async () => {
    const server = await serve(backend, only(version));
    const proxy = await proxyTo(server.port);
    expect(await answered(greetByNode(proxy.port))).toBe(true);
    proxy.cut('end');
    const outcome = await server.outcome();
    expect(outcome).toMatchObject({
      received: 'hello',
      events: [{ kind: 'error', direction: 'read', error: { code: 'ERR_OPENSSL_TRUNCATED' } }],
      end: { kind: 'truncated' },
    });
    await expectGoingOn(server);
  });

  it('TL-9: tells a reset from a truncation', async () => {
    const server = await serve(backend, only(version));
    const proxy = await proxyTo(server.port);
    expect(await answered(greetByNode(proxy.port))).toBe(true);
    proxy.cut('reset');
    expect(await server.outcome()).toMatchObject({
      received: 'hello',
      events: [{ kind: 'error', error: { code: 'ECONNRESET' } }],
      end: { kind: 'reset' },
    });
    await expectGoingOn(server);
  });

  it.each(cuts)(
    'has one outcome when the connection is cut at any record to the %s in the handshake (%s)',
    async (to, how) => {
      const server = await serve(backend, only(version));
      const stages: string[] = [];
      for (let step = 0; ; step++) {
        const proxy = await proxyTo(server.port, (record) =>
          record.to === to && record.index === step ? how : 'pass',
        );
        if (await answered(greetByNode(proxy.port))) break;
        const outcome = await server.outcome();
        stages.push(outcome.stage);
        const error =
          outcome.stage === 'handshake' ? outcome.error : (outcome.end as { error: Error & { code?: string } }).error;
        expect(codesOfCut(backend, how)).toContain(error.code);
        if (outcome.stage === 'open') expect(outcome.events).toEqual([{ kind: 'error', direction: 'read', error }]);
      }
      // The connection that was answered ends with the test.
      expect(stages.length).toBeGreaterThan(1);
      expect(stages[0]).toBe('handshake');
      await expectGoingOn(server);
    },
  );

  it('refuses what was changed on the way, hands none of it out, and says so to the peer', async () => {
    const server = await serve(backend, only(version));
    let isOpen = false;
    const proxy = await proxyTo(server.port, ({ to, type, bytes }) => {
      if (!isOpen || to !== 'server' || type !== 23) return 'pass';
      bytes[bytes.length - 1]! ^= 1;
      return bytes;
    });
    const socket = greetByNode(proxy.port);
    expect(await answered(socket)).toBe(true);
    isOpen = true;
    const failed = once(socket, 'error');
    socket.write(' and something else');
    expect(await server.outcome()).toMatchObject({
      received: 'hello',
      events: [{ kind: 'error', direction: 'read', error: { code: 'ERR_OPENSSL_PROTOCOL' } }],
      end: { kind: 'error' },
    });
    expect(await failed).toMatchObject([{ code: 'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC' }]);
    await expectGoingOn(server);
  });

  it('knows by its alert that the peer has seen the handshake changed on the way', async () => {
    const server = await serve(backend, only(version));
    const proxy = await proxyTo(server.port, ({ to, index, bytes }) => {
      // In the random number of the client, on which all that follows depends.
      if (to === 'server' && index === 0) bytes[20]! ^= 1;
      return bytes;
    });
    expect((await greet(backend, { port: proxy.port })).refusal).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE' });
    const error = expectHandshakeError(await server.outcome(), 'ERR_OPENSSL_HANDSHAKE') as OpensslError;
    // decrypt_error of a signature, bad_record_mac of what came under other keys
    expect(error.alert).toBe(version === 'TLSv1.3' ? 20 : 51);
    await expectGoingOn(server);
  });

  it.each([
    ['untrusted', () => pki.untrustedClient, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /ALERT_UNKNOWN_CA$/],
    ['expired', () => expiredClient, 'CERT_HAS_EXPIRED', /ALERT_CERTIFICATE_EXPIRED$/],
    ['revoked', () => pki.revokedClient, 'CERT_REVOKED', /ALERT_CERTIFICATE_REVOKED$/],
    ['a server’s', () => pki.server, 'INVALID_PURPOSE', /ALERT_UNSUPPORTED_CERTIFICATE$/],
  ] as const)(
    'refuses a client whose certificate is %s, and tells it why',
    async (_what, certificate, verifyName, alert) => {
      const server = await serve(backend, {
        ...only(version),
        ca: pki.ca.certPem,
        crl: [pki.crlPem, pki.caCrlPem],
        requestCert: true,
      });
      const socket = connectByNode(server.port, identity(certificate()));
      const [error] = await once(socket, 'error');
      expect(error.code).toMatch(alert);
      const refusal = expectHandshakeError(await server.outcome(), 'ERR_OPENSSL_VERIFY') as OpensslVerifyError;
      expect(refusal.verifyName).toBe(verifyName);
      await expectGoingOn(server, identity(pki.client));
    },
  );

  it('refuses a client without the certificate that is required', async () => {
    const server = await serve(backend, { ...only(version), ca: pki.ca.certPem, requestCert: true });
    const [error] = await once(connectByNode(server.port), 'error');
    expect(error.code).toMatch(version === 'TLSv1.3' ? /CERTIFICATE_REQUIRED$/ : /HANDSHAKE_FAILURE$/);
    expectHandshakeError(await server.outcome(), 'ERR_OPENSSL_HANDSHAKE');
    await expectGoingOn(server, identity(pki.client));
  });

  it('knows by its alert that a client trusts others', async () => {
    const server = await serve(backend, only(version));
    const { refusal } = await greet(backend, { port: server.port, ca: pki.otherCa.certPem });
    expect(refusal).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', verifyName: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' });
    const error = expectHandshakeError(await server.outcome(), 'ERR_OPENSSL_HANDSHAKE') as OpensslError;
    expect(error.alert).toBe(48);
    await expectGoingOn(server);
  });

  it('gives up a client that stalls in the handshake', async () => {
    const server = await serve(backend, { ...only(version), handshakeMs: 150 });
    const silent = connectPlainly(server.port);
    const closed = once(silent, 'close');
    silent.resume();
    expect(expectHandshakeError(await server.outcome(), 'ERR_BUFFEREVENT_TIMEOUT')).toMatchObject({
      timeout: 'handshake',
    });
    await closed;
    const proxy = await proxyTo(server.port, ({ to, index }) => (to === 'server' && index > 0 ? 'hold' : 'pass'));
    greetByNode(proxy.port);
    expectHandshakeError(await server.outcome(), 'ERR_BUFFEREVENT_TIMEOUT');
    await expectGoingOn(server);
  });
});

/** `s_client` over TLS 1.2, where a line that is `R` asks for a new handshake. */
function startClient(port: number): Program {
  const client = new Program('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost']);
  onTestFinished(() => client.kill());
  return client;
}

describeOurs.each(onEach)('on $name, a server of ours', ({ backend }) => {
  it('knows plain HTTP on its port', async () => {
    const server = await serve(backend);
    connectPlainly(server.port).write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const error = expectHandshakeError(await server.outcome(), 'ERR_OPENSSL_HANDSHAKE') as OpensslError;
    expect(error.opensslErrors[0]?.reason).toBe('http request');
    await expectGoingOn(server);
  });

  it.each([
    ['zeros', Buffer.alloc(600)],
    ['text', Buffer.from('EHLO client\r\n'.repeat(50))],
    ['a record that is too long', Buffer.from([22, 3, 1, 0xff, 0xff, ...Buffer.alloc(1000, 1)])],
    ['a ClientHello of nonsense', Buffer.from([22, 3, 1, 0, 8, 1, 0, 0, 4, 9, 9, 9, 9])],
    ['SSL 2', Buffer.from([0x80, 0x2e, 1, 0, 2, ...Buffer.alloc(64, 5)])],
  ])('refuses garbage: %s', async (_what, bytes) => {
    const server = await serve(backend);
    connectPlainly(server.port).write(bytes);
    expectHandshakeError(await server.outcome(), 'ERR_OPENSSL_HANDSHAKE');
    await expectGoingOn(server);
  });

  it.skipIf(!hasOpenssl)('refuses to renegotiate with openssl s_client, which says so', async () => {
    const server = await serve(backend, { maxVersion: 'TLSv1.2' });
    using client = startClient(server.port);
    await client.write('hello\n');
    await client.matched(/^hello$/);
    await client.write('R\n');
    expect(await client.exited()).toBe(1);
    expect(client.transcript).toContain('no renegotiation');
    expect(await server.outcome()).toMatchObject({
      received: 'hello\n',
      events: [{ kind: 'error', direction: 'read', error: { code: 'ERR_OPENSSL_RENEGOTIATION' } }],
      end: { kind: 'error' },
    });
    await expectGoingOn(server);
  });

  it.skipIf(!hasOpenssl)('renegotiates as often as it is told to, and gives up who wants more', async () => {
    const server = await serve(backend, { maxVersion: 'TLSv1.2', renegotiation: { perMinute: 3 } });
    using client = startClient(server.port);
    for (let count = 1; count <= 3; count++) {
      await client.write('R\n');
      await client.matched(/^RENEGOTIATING$/, count);
      await client.write(`after ${count}\n`);
      await client.matched(new RegExp(`^after ${count}$`));
    }
    await client.write('R\n');
    await client.exited();
    expect(await server.outcome()).toMatchObject({
      received: 'after 1\nafter 2\nafter 3\n',
      events: [{ kind: 'error', direction: 'read', error: { code: 'ERR_OPENSSL_RENEGOTIATION' } }],
      end: { kind: 'error' },
    });
    await expectGoingOn(server);
  });

  it('gives up at once a client that floods it with renegotiations', async () => {
    const server = await serve(backend, { maxVersion: 'TLSv1.2', renegotiation: { perMinute: 3 } });
    let handshakes = 0;
    const base = new EventBase({ backend });
    onTestFinished(() => base[Symbol.asyncDispose]());
    const bev = await connectTls(
      {
        ...{ ip: '127.0.0.1', port: server.port, servername: 'localhost', ca: pki.ca.certPem },
        ...{ base, enable: ['read', 'write'] },
      },
      {
        onEvent(bev, { kind }) {
          if (kind === 'connected') {
            handshakes++;
            renegotiate(bev);
          } else bev.free();
        },
      },
    );
    await bev.closed;
    // The first, and those that were allowed.
    expect(handshakes).toBe(4);
    expect(await server.outcome()).toMatchObject({
      end: { kind: 'error', error: { code: 'ERR_OPENSSL_RENEGOTIATION' } },
    });
    await expectGoingOn(server);
  });

  it('refuses a client who speaks only what is too old', async () => {
    const server = await serve(backend);
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    const [error] = await once(connectByNode(server.port, old), 'error');
    expect(error.code).toMatch(/PROTOCOL_VERSION$/);
    expectHandshakeError(await server.outcome(), 'ERR_OPENSSL_HANDSHAKE');
    await expectGoingOn(server);
  });
});

describeOurs.each(everywhere)('on $name over $version, a client of ours', ({ backend, version }) => {
  it('TL-8: tells a truncation from an end, after the data that came before it', async () => {
    const proxy = await proxyTo(await serveByNode(only(version)));
    const outcome = await greet(backend, { port: proxy.port }, () => proxy.cut('end'));
    expect(outcome).toMatchObject({
      refusal: null,
      received: 'hello',
      events: [{ kind: 'error', direction: 'read', error: { code: 'ERR_OPENSSL_TRUNCATED' } }],
      end: { kind: 'truncated' },
    });
  });

  it('TL-9: tells a reset from a truncation', async () => {
    const proxy = await proxyTo(await serveByNode(only(version)));
    const outcome = await greet(backend, { port: proxy.port }, () => proxy.cut('reset'));
    expect(outcome).toMatchObject({
      received: 'hello',
      events: [{ kind: 'error', error: { code: 'ECONNRESET' } }],
      end: { kind: 'reset' },
    });
  });

  it.each(cuts)(
    'has one outcome when the connection is cut at any record to the %s in the handshake (%s)',
    async (to, how) => {
      const port = await serveByNode(only(version));
      let refusals = 0;
      for (let step = 0; ; step++) {
        const proxy = await proxyTo(port, (record) => (record.to === to && record.index === step ? how : 'pass'));
        const { refusal, end, events } = await greet(backend, { port: proxy.port }, (bev) => void bev.end());
        if (end?.kind === 'clean') break;
        const error = refusal ?? (end as { error: Error & { code?: string } }).error;
        expect(codesOfCut(backend, how)).toContain(error.code);
        if (refusal === null) expect(events.length).toBeLessThanOrEqual(1);
        else {
          refusals++;
          expect(events).toEqual([]);
        }
      }
      // A client that has said its Finished with TLS 1.3 is open: what is cut behind it is no refusal any more.
      expect(refusals).toBeGreaterThan(version === 'TLSv1.3' ? 0 : 1);
    },
  );

  it.each([
    ['untrusted', () => pki.untrusted, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /ALERT_UNKNOWN_CA$/],
    ['expired', () => pki.expired, 'CERT_HAS_EXPIRED', /ALERT_CERTIFICATE_EXPIRED$/],
    ['not yet valid', () => pki.notYetValid, 'CERT_NOT_YET_VALID', /ALERT_BAD_CERTIFICATE$/],
    ['revoked', () => pki.revoked, 'CERT_REVOKED', /ALERT_CERTIFICATE_REVOKED$/],
    ['another host’s', () => pki.wrongHost, 'HOSTNAME_MISMATCH', /ALERT_BAD_CERTIFICATE$/],
    ['a client’s', () => pki.client, 'INVALID_PURPOSE', /ALERT_UNSUPPORTED_CERTIFICATE$/],
  ] as const)(
    'refuses a server whose certificate is %s, and tells it why',
    async (_what, certificate, verifyName, alert) => {
      const server = createServer({ ...identity(certificate()), ...only(version) });
      const port = await listening(server);
      const told = once(server, 'tlsClientError');
      const { refusal } = await greet(backend, { port, crl: [pki.crlPem, pki.caCrlPem] });
      expect(refusal).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', verifyName });
      const [error] = await told;
      expect(error.code).toMatch(alert);
    },
  );

  it('refuses a server that does not have the address for a name', async () => {
    const port = await serveByNode({ ...only(version), ...identity(pki.wrongHost) });
    const { refusal } = await greet(backend, { port, servername: '127.0.0.1' });
    expect(refusal).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', verifyName: 'IP_ADDRESS_MISMATCH' });
  });

  it('gives up a server that stalls in the handshake', async () => {
    const silent = await listening(createPlainServer((socket) => onTestFinished(() => void socket.destroy())));
    expect((await greet(backend, { port: silent, handshakeMs: 150 })).refusal).toMatchObject({
      code: 'ERR_BUFFEREVENT_TIMEOUT',
      timeout: 'handshake',
    });
    const proxy = await proxyTo(await serveByNode(only(version)), ({ to, index }) =>
      to === 'client' && index > 0 ? 'hold' : 'pass',
    );
    expect((await greet(backend, { port: proxy.port, handshakeMs: 150 })).refusal).toMatchObject({
      timeout: 'handshake',
    });
  });
});

describeOurs.each(onEach)('on $name, a client of ours', ({ backend }) => {
  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['SMTP', '220 localhost ESMTP\r\n'],
    ['zeros', Buffer.alloc(600)],
  ])('refuses a server that speaks something else: %s', async (_what, bytes) => {
    const port = await listening(createPlainServer((socket) => void socket.on('error', () => {}).write(bytes)));
    expect((await greet(backend, { port })).refusal).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE' });
  });
});
