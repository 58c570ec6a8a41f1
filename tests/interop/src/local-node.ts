import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect, createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { LocalConnection } from './conversations.js';
import { type LocalTls, Reports, whenListening } from './local-tls.js';
import type { Report, Settings } from './settings.js';

/**
 * `node:tls` in our place: shows that a peer and the harness get along, when they do not with ours. It can't tell a clean
 * end from another.
 */
export const nodeInOurPlace: LocalTls = {
  name: 'node:tls',

  async connect(port, settings, conversationOf) {
    const reports: Report[] = [];
    let session: Buffer | undefined;
    while (reports.length < settings.connections) {
      const options: ConnectionOptions = {
        ...contextOptions(settings, settings.clientCertificate ? 'client' : null),
        host: '127.0.0.1',
        port,
        servername: 'localhost',
        session,
      };
      const socket = await whenListening(() => {
        const attempt = connect(options);
        attempt.on('session', (fresh) => {
          session = fresh;
        });
        return connected(attempt);
      });
      reports.push(await conversationOf(reports.length)(new NodeConnection(socket)));
    }
    return reports;
  },

  async listen(settings, conversationOf) {
    const server = createServer({
      ...contextOptions(settings, 'server'),
      requestCert: settings.clientCertificate,
    });
    const reports = new Reports(settings.connections);
    server.on('tlsClientError', (error) => reports.fail(error));
    server.on('secureConnection', (socket) => reports.add(conversationOf(reports.count)(new NodeConnection(socket))));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return {
      port,
      reports: () => reports.whole,
      async [Symbol.asyncDispose]() {
        server.close();
      },
    };
  },
};

type CommonOptions = SecureContextOptions & Pick<ConnectionOptions, 'ALPNProtocols'>;

function contextOptions(settings: Settings, identity: 'client' | 'server' | null): CommonOptions {
  const { credentials, version, alpn } = settings;
  return {
    minVersion: version,
    maxVersion: version,
    ca: readFileSync(credentials.ca),
    ...(identity !== null && {
      cert: readFileSync(credentials[identity].certificate),
      key: readFileSync(credentials[identity].key),
    }),
    ...(alpn !== null && { ALPNProtocols: [alpn] }),
  };
}

async function connected(socket: TLSSocket): Promise<TLSSocket> {
  await once(socket, 'secureConnect');
  return socket;
}

class NodeConnection implements LocalConnection {
  readonly #socket: TLSSocket;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly facts: LocalConnection['facts'];

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]();
    this.facts = {
      protocol: socket.getProtocol(),
      alpn: socket.alpnProtocol || '',
      isResumed: socket.isSessionReused(),
      // A resumed session does not bring it back.
      peerName: socket.isSessionReused() ? null : (socket.getPeerCertificate().subject?.CN?.toString() ?? ''),
    };
  }

  write(bytes: Uint8Array | string): Promise<void> {
    // No waiting for `drain`: that does not come any more when the peer ends first.
    return new Promise((resolve) => void this.#socket.write(bytes, () => resolve()));
  }

  async read(): Promise<Uint8Array | null> {
    const { done, value } = await this.#chunks.next();
    return done ? null : value;
  }

  async end(): Promise<null> {
    const socket = this.#socket;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    socket.end();
    if (!socket.closed) await closed;
    return null;
  }
}
