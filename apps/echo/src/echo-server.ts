import { type Address, type EventBase, type ListenOptions, listen, type SocketBufferevent } from 'bufferevent';
import type { SslContext } from 'bufferevent-openssl';
import { endAfterEcho, flowing } from './echo-handlers.js';
import { describe } from './report.js';
import { formatTarget } from './target.js';
import { loadOpenssl } from './tls.js';

export interface EchoServerOptions {
  readonly base: EventBase;
  readonly readTimeoutMs?: number;
  readonly maxConnections?: number;
  /** Speak TLS. Connections are followed when they are secure; a handshake that fails is a line of the log. */
  readonly context?: SslContext;
  /** Takes one line for every connection that ended and every error of the listener. */
  readonly log?: (line: string) => void;
}

/** While draining, a connection that was silent for this long has nothing more under way. */
const drainQuietMs = 100;

/** While draining, connections that go on and on are ended after this long. */
const drainDeadlineMs = 10_000;

/** What a server with TLS and one without have in common. */
interface EchoListener {
  readonly address: Address;
  close(): Promise<void>;
}

/** An echo server: listens, follows its connections, drains. */
export class EchoServer {
  readonly #options: EchoServerOptions;
  readonly #live = new Set<SocketBufferevent>();
  #listener!: EchoListener; // Set before start() returns the server.
  #draining = false;

  /** Rejects when the address cannot be listened on. */
  static async start(
    target: { host: string; port: number } | { path: string },
    options: EchoServerOptions,
  ): Promise<EchoServer> {
    const server = new EchoServer(options);
    const { base, maxConnections, context, log } = options;
    const handlers = {
      ...flowing,
      onConnection: (bev: SocketBufferevent) => void server.#follow(bev),
      onListenerError: (error: Error) => log?.(`listener: ${describe(error)}`),
    };
    const listenOptions: ListenOptions = {
      base,
      backlog: 1024,
      ...(maxConnections === undefined ? {} : { maxConnections }),
    };
    if (context === undefined) {
      server.#listener = await listen(target, handlers, listenOptions);
    } else {
      const { listenTls } = await loadOpenssl();
      const onHandshakeError = (error: Error, peer: Address | null): void =>
        log?.(`${formatPeer(peer)}: no connection, ${describe(error)}`);
      server.#listener = await listenTls(target, { ...handlers, onHandshakeError }, { ...listenOptions, context });
    }
    return server;
  }

  private constructor(options: EchoServerOptions) {
    this.#options = options;
  }

  get address(): Address {
    return this.#listener.address;
  }

  get connections(): number {
    return this.#live.size;
  }

  /** Accepts nobody any more, echoes what is under way, ends every connection. Resolves when all are closed. */
  async drain(): Promise<void> {
    this.#draining = true;
    const listenerClosed = this.#listener.close();
    for (const bev of this.#live) {
      if (!bev.freed) bev.setTimeouts({ readMs: drainQuietMs }); // One that has ended is live until it is closed.
    }
    const deadline = setTimeout(() => {
      for (const bev of this.#live) endAfterEcho(bev);
    }, drainDeadlineMs);
    while (this.#live.size > 0) await Promise.all(Array.from(this.#live, (bev) => bev.closed));
    clearTimeout(deadline);
    await listenerClosed;
  }

  /** From a connection's first moment to its last, whatever ends it. */
  async #follow(bev: SocketBufferevent): Promise<void> {
    this.#live.add(bev);
    const readMs = this.#draining ? drainQuietMs : this.#options.readTimeoutMs;
    if (readMs !== undefined) bev.setTimeouts({ readMs });
    // Reading rests while the peer takes nothing.
    if (this.#options.readTimeoutMs !== undefined) bev.setTimeouts({ writeMs: this.#options.readTimeoutMs });
    const { peer } = bev.address;
    const cause = await bev.closed;
    bev.free();
    this.#live.delete(bev);
    this.#options.log?.(`${formatPeer(peer)}: ${cause.kind}${'error' in cause ? `, ${describe(cause.error)}` : ''}`);
  }
}

function formatPeer(peer: Address | null): string {
  return peer === null ? 'a peer' : formatTarget(peer);
}
