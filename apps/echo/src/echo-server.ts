import { type Address, type EventBase, type Listener, listen, type SocketBufferevent } from 'bufferevent';
import { endAfterEcho, flowing } from './echo-handlers.js';
import { describe } from './report.js';
import { formatTarget } from './target.js';

export interface EchoServerOptions {
  readonly base: EventBase;
  readonly readTimeoutMs?: number;
  readonly maxConnections?: number;
  /** Takes one line for every connection that ended and every error of the listener. */
  readonly log?: (line: string) => void;
}

/** While draining, a connection that was silent for this long has nothing more under way. */
const drainQuietMs = 100;

/** While draining, connections that go on and on are ended after this long. */
const drainDeadlineMs = 10_000;

/** An echo server: listens, follows its connections, drains. */
export class EchoServer {
  readonly #options: EchoServerOptions;
  readonly #live = new Set<SocketBufferevent>();
  #listener!: Listener; // Set before start() returns the server.
  #draining = false;

  /** Rejects when the address cannot be listened on. */
  static async start(
    target: { host: string; port: number } | { path: string },
    options: EchoServerOptions,
  ): Promise<EchoServer> {
    const server = new EchoServer(options);
    const { base, maxConnections, log } = options;
    server.#listener = await listen(
      target,
      {
        ...flowing,
        onConnection: (bev) => void server.#follow(bev),
        onListenerError: (error) => log?.(`listener: ${describe(error)}`),
      },
      { base, backlog: 1024, ...(maxConnections === undefined ? {} : { maxConnections }) },
    );
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
    const { peer } = bev.address;
    const cause = await bev.closed;
    bev.free();
    this.#live.delete(bev);
    this.#options.log?.(
      `${peer === null ? 'a peer' : formatTarget(peer)}: ${cause.kind}${'error' in cause ? `, ${describe(cause.error)}` : ''}`,
    );
  }
}
