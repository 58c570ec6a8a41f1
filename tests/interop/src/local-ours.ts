import { type Bufferevent, EventBase, type IpAddress } from 'bufferevent';
import { connectTls, getSsl, listenTls, SslContext, type SslContextOptions, tlsOutcome } from 'bufferevent-openssl';
import type { LocalConnection } from './conversations.js';
import { type LocalTls, Reports, whenListening } from './local-tls.js';
import type { End, Report, Settings } from './settings.js';

/** What all of this is about. */
export const ours: LocalTls = {
  name: 'bufferevent-openssl',

  async connect(port, settings, conversationOf) {
    const reports: Report[] = [];
    let session: Uint8Array | undefined;
    const options = {
      ...contextOptions(settings, settings.clientCertificate ? 'client' : null),
      ip: '127.0.0.1',
      port,
      servername: 'localhost',
      onSession(fresh: Uint8Array) {
        session = fresh;
      },
    };
    while (reports.length < settings.connections) {
      const bev = await whenListening(() => connectTls({ ...options, ...(session !== undefined && { session }) }));
      reports.push(await conversationOf(reports.length)(new OurConnection(bev)));
    }
    return reports;
  },

  async listen(settings, conversationOf) {
    const base = new EventBase();
    const context = new SslContext({
      ...contextOptions(settings, 'server'),
      requestCert: settings.clientCertificate,
    });
    const reports = new Reports(settings.connections);
    const listener = await listenTls(
      { ip: '127.0.0.1', port: 0 },
      {
        onHandshakeError: (error) => reports.fail(error),
        onConnection: (bev) => reports.add(conversationOf(reports.count)(new OurConnection(bev))),
      },
      { base, context },
    );
    return {
      port: (listener.address as IpAddress).port,
      reports: () => reports.whole,
      async [Symbol.asyncDispose]() {
        await base[Symbol.asyncDispose]();
        context.free();
      },
    };
  },
};

function contextOptions(settings: Settings, identity: 'client' | 'server' | null): SslContextOptions {
  const { credentials, version, alpn } = settings;
  return {
    minVersion: version,
    maxVersion: version,
    caFile: credentials.ca,
    ...(identity !== null && {
      certFile: credentials[identity].certificate,
      keyFile: credentials[identity].key,
    }),
    ...(alpn !== null && { ALPNProtocols: [alpn] }),
  };
}

class OurConnection implements LocalConnection {
  readonly #bev: Bufferevent;
  readonly #outcome: ReturnType<typeof tlsOutcome>;
  readonly facts: LocalConnection['facts'];

  constructor(bev: Bufferevent) {
    this.#bev = bev;
    this.#outcome = tlsOutcome(bev);
    const ssl = getSsl(bev);
    if (ssl === null) throw new Error('a connection without TLS');
    this.facts = {
      protocol: ssl.protocol,
      alpn: ssl.alpnProtocol ?? '',
      isResumed: ssl.isSessionReused,
      peerName: /^CN=(.*)$/m.exec(ssl.peerCertificate?.subject ?? '')?.[1] ?? '',
    };
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    if (!this.#bev.write(bytes)) await this.#bev.drained();
  }

  read(): Promise<Uint8Array | null> {
    return this.#bev.read();
  }

  async end(): Promise<End> {
    await this.#bev.end();
    const outcome = await this.#outcome;
    if (outcome.kind === 'clean' || outcome.kind === 'truncated' || outcome.kind === 'reset') return outcome.kind;
    throw 'error' in outcome ? outcome.error : new Error(outcome.kind);
  }
}
