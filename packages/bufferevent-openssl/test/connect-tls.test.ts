// The easy way: connectTls() and listenTls(), with each other and with node:tls, over sockets of the system.
import type { AddressInfo } from 'node:net';
import * as tls from 'node:tls';
import { type Bufferevent, EventBase, type SocketBufferevent } from 'bufferevent';
import type { Backend } from 'bufferevent-backend';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  type ConnectTlsOptions,
  connectTls,
  getSsl,
  type ListenTlsHandlers,
  type ListenTlsOptions,
  listenTls,
  type OpensslError,
  SslContext,
  type TlsListener,
  tlsOutcome,
} from '../src/index.js';
import { native } from '../src/native.js';
import { describeWithOpenssl, pki } from './in-memory.js';
import { events, pattern, rejection, text } from './support/secure-pair.js';
import { systemBackends } from './support/system-backends.js';
import { versions } from './support/versions.js';
import { until } from './support/wait.js';

const KiB = 1024;
const identity = { cert: pki.server.chainPem, key: pki.server.keyPem };
const ca = pki.ca.certPem;

for (const backend of systemBackends) over(backend);

function over(backend: Backend): void {
  describeWithOpenssl(`over ${backend.name}`, () => {
    let base: EventBase;
    let log: string[];
    let accepted: SocketBufferevent[];
    beforeEach(() => {
      base = new EventBase({ backend });
      log = [];
      accepted = [];
    });
    afterEach(() => base[Symbol.asyncDispose]());

    const handlers = (more: ListenTlsHandlers = {}): ListenTlsHandlers => ({
      ...more,
      onConnection(bev, listener) {
        log.push('connection');
        accepted.push(bev);
        more.onConnection?.(bev, listener);
      },
      onHandshakeError(error, peer, listener) {
        log.push(`handshake ${(error as OpensslError).code}`);
        more.onHandshakeError?.(error, peer, listener);
      },
    });
    const serve = (options: Partial<ListenTlsOptions> = {}, more: ListenTlsHandlers = {}): Promise<TlsListener> => {
      const own = 'context' in options || 'key' in options ? {} : identity;
      return listenTls({ host: '127.0.0.1', port: 0 }, handlers(more), { base, ...own, ...options });
    };
    const portOf = (listener: TlsListener): number => (listener.address as { port: number }).port;
    const dial = (listener: TlsListener, options: object = {}, client = {}): Promise<SocketBufferevent> =>
      connectTls({ host: '127.0.0.1', port: portOf(listener), base, ca, ...options } as ConnectTlsOptions, client);

    for (const version of versions) {
      it(`speak with each other, ${version}: data both ways, and a clean end seen by both`, async () => {
        const listener = await serve({ maxVersion: version });
        const client = await dial(listener, {}, events(log, 'client'));
        await until(() => accepted.length === 1, 'the connection');
        const server = accepted[0] as SocketBufferevent;
        expect(getSsl(client)?.protocol).toBe(version);
        expect(getSsl(server)?.protocol).toBe(version);
        const content = pattern(500 * KiB);
        client.write(content);
        server.write(content);
        expect(Buffer.from((await server.read(content.length)) as Uint8Array).equals(content)).toBe(true);
        expect(Buffer.from((await client.read(content.length)) as Uint8Array).equals(content)).toBe(true);
        const ended = client.end();
        expect(await server.read()).toBeNull();
        expect(await server.end()).toEqual({ kind: 'clean' });
        expect(await ended).toEqual({ kind: 'clean' });
        expect(await tlsOutcome(client)).toEqual({ kind: 'clean' });
        expect(log).toContain('client connected');
        await listener.close();
        expect(listener.stats()).toMatchObject({ accepted: 1, connections: 0, handshaking: 0, handshakeErrors: 0 });
      });

      it(`a node:tls client, ${version}: data, ALPN, a clean end`, async () => {
        const listener = await serve(
          { ALPNProtocols: ['x', 'y'] },
          {
            onConnection: (bev) => void log.push(`${getSsl(bev)?.alpnProtocol}`),
            onRead: (bev) => void bev.write(bev.input.remove()),
            onEvent: (bev) => void bev.end(),
          },
        );
        const socket = tls.connect({ port: portOf(listener), ca, maxVersion: version, ALPNProtocols: ['y', 'z'] });
        let protocol: string | null = null;
        socket.once('secureConnect', () => {
          protocol = socket.getProtocol();
        });
        const content = pattern(300 * KiB);
        socket.end(content);
        const chunks: Buffer[] = [];
        for await (const chunk of socket) chunks.push(chunk as Buffer);
        expect(Buffer.concat(chunks).equals(content)).toBe(true);
        expect(socket.alpnProtocol).toBe('y');
        expect(protocol).toBe(version);
        expect(log).toEqual(['connection', 'y']);
        expect(await tlsOutcome(accepted[0] as Bufferevent)).toEqual({ kind: 'clean' });
        await listener.close();
      });

      it(`a node:tls server, ${version}: verified, data, a clean end`, async () => {
        const server = tls.createServer({ ...identity, maxVersion: version }, (socket) => socket.pipe(socket));
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const { port } = server.address() as AddressInfo;
        const client = await connectTls({ host: 'localhost', family: 4, port, base, ca });
        expect(getSsl(client)?.verifiedChain).toHaveLength(3);
        const content = pattern(300 * KiB);
        client.write(content);
        expect(Buffer.from((await client.read(content.length)) as Uint8Array).equals(content)).toBe(true);
        expect(await client.end()).toEqual({ kind: 'clean' });
        await new Promise((resolve) => server.close(resolve));
      });
    }

    it('a node:tls client that is destroyed leaves a truncation behind; one that ends does not', async () => {
      const listener = await serve({}, { onRead: (bev) => void bev.input.drain(), onEvent: (bev) => void bev.end() });
      const socket = tls.connect({ port: portOf(listener), ca });
      await until(() => accepted.length === 1, 'the connection');
      socket.destroy();
      const outcome = await tlsOutcome(accepted[0] as Bufferevent);
      // Node says close_notify also when destroyed, unless something of ours was on the way, or it was reset.
      expect(['clean', 'truncated', 'reset']).toContain(outcome.kind);
      await listener.close();
    });

    it('numeric hosts are verified as such and not asked for; names are both', async () => {
      const asked: (string | null)[] = [];
      const listener = await serve({
        ...identity,
        onClientHello(hello) {
          asked.push(hello.servername);
          return null;
        },
      });
      const port = portOf(listener);
      await connectTls({ host: '127.0.0.1', port, base, ca });
      await connectTls({ ip: '127.0.0.1', port, base, ca });
      await connectTls({ host: 'localhost', family: 4, port, base, ca });
      expect(asked).toEqual([null, null, 'localhost']);
      expect(
        await rejection(connectTls({ ip: '127.0.0.1', port, servername: 'wrong.example', base, ca })),
      ).toMatchObject({
        code: 'ERR_OPENSSL_VERIFY',
      });
      expect(asked.at(-1)).toBe('wrong.example');
      // Whom to ask for and whom to believe can be two.
      await connectTls({ host: '127.0.0.1', port, servername: 'wrong.example', verifyName: 'localhost', base, ca });
      await connectTls({ host: '127.0.0.1', port, servername: 'wrong.example', verifyName: null, base, ca });
      await listener.close();
    });

    it('who is refused: each is one rejection of its own kind, told to the server, which goes on', async () => {
      const listener = await serve();
      expect(await rejection(dial(listener, { ca: pki.otherCa.certPem }))).toMatchObject({
        code: 'ERR_OPENSSL_VERIFY',
      });
      await until(() => log.length === 1, 'the server to hear');
      for (const [name, verifyName] of [
        ['expired', 'CERT_HAS_EXPIRED'],
        ['wrongHost', 'IP_ADDRESS_MISMATCH'],
        ['untrusted', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
      ] as const) {
        listener.context = new SslContext({
          cert: pki[name].certPem + pki.intermediate.certPem,
          key: pki[name].keyPem,
        });
        expect(await rejection(dial(listener))).toMatchObject({ code: 'ERR_OPENSSL_VERIFY', verifyName });
      }
      listener.context = new SslContext(identity);
      await dial(listener);
      await until(() => accepted.length === 1 && log.length === 5, 'the others');
      expect(log).toEqual([...Array.from({ length: 4 }, () => 'handshake ERR_OPENSSL_HANDSHAKE'), 'connection']);
      expect(listener.stats()).toMatchObject({ accepted: 5, connections: 1, handshaking: 0, handshakeErrors: 4 });
      await listener.close();
    });

    it('certificates change without a restart, and connections that there are stay', async () => {
      const listener = await serve();
      const old = listener.context;
      const before = await dial(listener);
      listener.context = new SslContext({ cert: pki.serverRsa.chainPem, key: pki.serverRsa.keyPem });
      old.free();
      const after = await dial(listener);
      const keyOf = (bev: Bufferevent) => getSsl(bev)?.peerCertificate?.publicKey.asymmetricKeyType;
      expect([keyOf(before), keyOf(after)]).toEqual(['ec', 'rsa']);
      await until(() => accepted.length === 2, 'both');
      before.write('old');
      expect(text(await (accepted[0] as Bufferevent).read(3))).toBe('old');
      expect(() => {
        listener.context = {} as SslContext;
      }).toThrow(TypeError);
      await listener.close();
    });

    it('a client that stalls in the handshake is given up after handshakeMs', async () => {
      const listener = await serve({ handshakeMs: 30 });
      const { connect } = await import('node:net');
      const socket = connect(portOf(listener), '127.0.0.1');
      await new Promise((resolve) => socket.once('close', resolve).on('error', () => {}));
      expect(log).toEqual(['handshake ERR_BUFFEREVENT_TIMEOUT']);
      await until(() => listener.connections === 0, 'the connection to go');
      expect(listener.stats()).toMatchObject({ handshaking: 0, handshakeErrors: 1 });
      await listener.close();
    });

    it('client certificates: demanded, verified, and seen', async () => {
      const listener = await serve({ ...identity, ca, requestCert: true });
      const client = await dial(listener, { cert: pki.client.chainPem, key: pki.client.keyPem });
      await until(() => accepted.length === 1, 'the connection');
      expect(getSsl(accepted[0] as Bufferevent)?.peerCertificate?.subject).toContain('Test Client');
      client.free();
      const none = await dial(listener)
        .then(
          // With TLS 1.3 the client is done before the server has looked.
          (bev) => bev.read(1),
          (error: unknown) => Promise.reject(error),
        )
        .catch((error: OpensslError) => error);
      expect(none).toMatchObject({ alert: 116 });
      await until(() => log.length === 2, 'the refusal');
      expect(log[1]).toBe('handshake ERR_OPENSSL_HANDSHAKE');
      await listener.close();
    });

    it('sessions resume across connections of one context', async () => {
      const listener = await serve();
      const context = new SslContext({ ca });
      const sessions: Uint8Array[] = [];
      const first = await connectTls({
        host: '127.0.0.1',
        port: portOf(listener),
        base,
        context,
        onSession: (session) => sessions.push(session),
      });
      first.enable('read');
      await until(() => sessions.length > 0, 'a ticket');
      const second = await connectTls({
        host: '127.0.0.1',
        port: portOf(listener),
        base,
        context,
        session: sessions[0] as Uint8Array,
      });
      expect(getSsl(second)?.isSessionReused).toBe(true);
      await listener.close();
    });

    it('handlers: what is enabled by default, and what the option says', async () => {
      const listener = await serve({ enable: ['write'] }, { onRead: () => log.push('read') });
      const client = await dial(listener, {}, { onRead: () => {} });
      expect(client.enabled).toEqual(['read', 'write']);
      await until(() => accepted.length === 1, 'the connection');
      expect((accepted[0] as Bufferevent).enabled).toEqual(['write']);
      listener.setHandlers(handlers({ onRead: () => log.push('second') }));
      const again = await serve();
      await dial(again);
      await until(() => accepted.length === 2, 'the other connection');
      expect((accepted[1] as Bufferevent).enabled).toEqual(['write']);
      await Promise.all([listener.close(), again.close()]);
    });

    it('LI-6: without handlers, connections in the handshake wait for some', async () => {
      const listener = await serve({
        ...identity,
        async onClientHello() {
          listener.setHandlers(null);
          return null;
        },
      });
      const client = await dial(listener);
      client.write('patient');
      await until(() => listener.connections === 1, 'the connection');
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
      expect(accepted).toHaveLength(0);
      expect(listener.stats().handshaking).toBe(1);
      listener.setHandlers(handlers({ onRead: (bev) => void log.push(`read ${text(bev.input.remove())}`) }));
      expect(accepted).toHaveLength(0);
      await until(() => log.length === 2, 'the connection and its data');
      expect(log).toEqual(['connection', 'read patient']);
      expect(listener.stats().handshaking).toBe(0);
      await listener.close();
    });

    it.each([
      ['close()', true],
      ['close()', false],
      ['its signal', true],
      ['its signal', false],
    ])('LI-6: %s without handlers ends those that wait for some, or come later', async (means, early) => {
      const controller = new AbortController();
      let release: () => void = () => {};
      const asked = new Promise<void>((resolve) => {
        release = resolve;
      });
      const listener = await serve({
        ...identity,
        signal: controller.signal,
        async onClientHello() {
          listener.setHandlers(null);
          if (!early) await asked;
          return null;
        },
      });
      const dialled = dial(listener);
      await until(() => !listener.enabled || listener.stats().handshaking === 1, 'the connection');
      if (early) await dialled;
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
      if (means === 'close()') await listener.close();
      else controller.abort();
      release();
      await until(() => listener.connections === 0, 'its end');
      expect(listener.stats().handshaking).toBe(0);
      expect(accepted).toHaveLength(0);
      (await dialled.catch(() => null))?.free();
    });

    it('TL-10: after our end one can still read, also when the peer asks for new keys', async () => {
      const listener = await serve();
      const client = await dial(listener);
      await until(() => accepted.length === 1, 'the connection');
      const [server] = accepted as [SocketBufferevent];
      const ended = client.end();
      expect(await server.read()).toBeNull();
      for (let part = 0; part < 3; part++) {
        getSsl(server)?.updateKeys({ requestPeer: true });
        server.write(pattern(50 * KiB));
        expect((await client.read(50 * KiB))?.length).toBe(50 * KiB);
      }
      void server.end();
      expect(await ended).toEqual({ kind: 'clean' });
      await listener.close();
    });

    it('LI-6: those that are gone with their base count no more, and are not handed out', async () => {
      const own = new EventBase({ backend });
      const listener = await serve({
        base: own,
        ...identity,
        async onClientHello() {
          listener.setHandlers(null);
          return null;
        },
      });
      const client = await dial(listener);
      await until(() => listener.stats().handshaking === 1, 'the connection');
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
      await own[Symbol.asyncDispose]();
      expect(listener.stats().handshaking).toBe(0);
      expect(() => listener.setHandlers(handlers())).not.toThrow();
      expect(log).toEqual([]);
      client.free();
    });

    it('M13: connections that end, are freed, fail or are refused leave nothing of OpenSSL behind', async () => {
      const before = native().liveCounts();
      const listener = await serve(
        {},
        { onRead: (bev) => void bev.write(bev.input), onEvent: (bev) => void bev.end() },
      );
      const rounds = Array.from({ length: 20 }, async (_, index) => {
        if (index % 4 === 0) {
          await rejection(dial(listener, { ca: pki.otherCa.certPem }));
          return;
        }
        const client = await dial(listener);
        client.write('x');
        await client.read(1);
        if (index % 4 === 1) await client.end();
        else client.free();
      });
      await Promise.all(rounds);
      await until(() => listener.connections === 0, 'the connections to go');
      listener.context.free();
      await listener.close();
      // Of other tests the garbage collector may let some go meanwhile.
      await until(
        () =>
          native()
            .liveCounts()
            .every((count, index) => count <= (before[index] as number)),
        'OpenSSL to let go',
        () => `${before} -> ${native().liveCounts()}`,
      );
    });

    it('an aborted signal, and a port where nobody listens, reject and leave nothing behind', async () => {
      const listener = await serve();
      const port = portOf(listener);
      const reason = new Error('no more');
      expect(await rejection(dial(listener, { signal: AbortSignal.abort(reason) }))).toBe(reason);
      await listener.close();
      expect(await rejection(connectTls({ host: '127.0.0.1', port, base, ca }))).toMatchObject({
        code: 'ECONNREFUSED',
      });
      expect(base.stats().members).toBe(0);
    });
  });
}

describeWithOpenssl('arguments', () => {
  const target = { host: '127.0.0.1', port: 1 };
  const context = new SslContext();

  it('of connectTls are checked before anything is opened', () => {
    const call = (options: unknown) => () => void connectTls(options as ConnectTlsOptions);
    expect(call(null)).toThrow(TypeError);
    expect(call({})).toThrow(TypeError);
    expect(call({ ...target, context: {} })).toThrow(TypeError);
    expect(call({ ...target, context, ca: 'x' })).toThrow(TypeError);
    expect(call({ ...target, ciphers: 7 })).toThrow(TypeError);
    expect(call({ ...target, session: 'text' })).toThrow(TypeError);
    expect(call({ ...target, batchWrites: 'no' })).toThrow(TypeError);
    expect(call({ ...target, sevrername: 'typo' })).toThrow(RangeError);
    // Whom a certificate has to name is not known from a path.
    expect(call({ path: '/nowhere' })).toThrow(TypeError);
  });

  it('of listenTls are checked before anything is opened', () => {
    const call = (handlers: unknown, options: unknown) => () =>
      void listenTls({ host: '127.0.0.1', port: 0 }, handlers as ListenTlsHandlers, options as ListenTlsOptions);
    expect(call({}, null)).toThrow(TypeError);
    expect(call({}, {})).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_CERTIFICATE' }));
    expect(call({ onConnection: 1 }, identity)).toThrow(TypeError);
    expect(call(null, identity)).toThrow(TypeError);
    expect(call({}, { ...identity, context })).toThrow(TypeError);
    expect(call({}, { ...identity, enable: 'read' })).toThrow(TypeError);
    expect(call({}, { ...identity, maxConections: 1 })).toThrow(RangeError);
  });
});
