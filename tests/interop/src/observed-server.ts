import { type Backend, type Bufferevent, type BuffereventEvent, EventBase, type IpAddress } from 'bufferevent';
import { type ListenTlsOptions, listenTls, type TlsListener, type TlsOutcome, tlsOutcome } from 'bufferevent-openssl';

/** What a server of ours has come to know of one connection. */
export type Outcome =
  | { readonly stage: 'handshake'; readonly error: Error & { code?: string } }
  | {
      readonly stage: 'open';
      /** All that came of the payload. */
      readonly received: string;
      /** Those that end something, in their order: there should be one. */
      readonly events: readonly BuffereventEvent[];
      readonly end: TlsOutcome;
    };

/** An echo server over `listenTls` that remembers how each connection ended. */
export class ObservedServer implements AsyncDisposable {
  readonly #base: EventBase;
  readonly #outcomes: Outcome[] = [];
  readonly #waiting: ((outcome: Outcome) => void)[] = [];
  #listener!: TlsListener;

  private constructor(backend: Backend) {
    this.#base = new EventBase({ backend });
  }

  static async start(backend: Backend, options: Omit<ListenTlsOptions, 'base'>): Promise<ObservedServer> {
    const server = new ObservedServer(backend);
    server.#listener = await listenTls(
      { ip: '127.0.0.1', port: 0 },
      {
        onConnection: (bev) => void server.#observe(bev),
        onHandshakeError: (error) => server.#tell({ stage: 'handshake', error }),
        onRead(bev) {
          const seen = bev.context as Seen;
          seen.received += bev.input.toString('latin1');
          bev.write(bev.input);
        },
        onEvent(bev, event) {
          (bev.context as Seen).events.push(event);
          if (event.kind === 'eof') void bev.end();
          else bev.free();
        },
      },
      { ...options, base: server.#base },
    );
    return server;
  }

  get port(): number {
    return (this.#listener.address as IpAddress).port;
  }

  get listener(): TlsListener {
    return this.#listener;
  }

  /** Of the connection that ended first among those not asked for yet. */
  outcome(): Promise<Outcome> {
    const first = this.#outcomes.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** What has ended, and nobody has asked for. */
  get unasked(): readonly Outcome[] {
    return this.#outcomes;
  }

  async #observe(bev: Bufferevent): Promise<void> {
    const seen: Seen = { received: '', events: [] };
    bev.context = seen;
    const end = await tlsOutcome(bev);
    this.#tell({ stage: 'open', ...seen, end });
  }

  #tell(outcome: Outcome): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#outcomes.push(outcome);
    else waiting(outcome);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#base[Symbol.asyncDispose]();
  }
}

interface Seen {
  received: string;
  events: BuffereventEvent[];
}
