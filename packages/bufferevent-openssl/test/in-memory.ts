import { Evbuffer } from 'evbuffer';
import { describe } from 'vitest';
import { Ssl, SslBioPair, SslContext, type SslContextOptions, type SslOptions } from '../src/index.js';
import { pki } from './support/pki.js';
import { isOpensslUsable } from './support/usable.js';

/** `describe` for what needs the addon. */
export const describeWithOpenssl: ReturnType<typeof describe.runIf> = describe.runIf(isOpensslUsable());

export { pki };

/** One side of a connection whose other side is in the same process. */
export class TestEnd {
  readonly ssl: Ssl;
  readonly received: Evbuffer = new Evbuffer();
  readonly pair: SslBioPair;
  failure: Error | null = null;
  hasReceivedClose = false;
  #ready: (() => void) | null = null;

  constructor(ssl: Ssl, isServer: boolean) {
    this.ssl = ssl;
    const onReady = (): void => this.#ready?.();
    this.pair = new SslBioPair(ssl, isServer ? 'accepting' : 'connecting', { closeOnFree: false, onReady });
  }

  get isOpen(): boolean {
    return this.pair.isOpen && this.failure === null;
  }

  /** Goes on with what there is. */
  async step(): Promise<void> {
    if (this.failure !== null) return;
    try {
      const ready = new Promise<void>((resolve) => {
        this.#ready = resolve;
      });
      while (this.pair.handshake() === 'pending') await ready;
      if (this.pair.isOpen) this.hasReceivedClose ||= this.pair.read(this.received) === 'closed';
    } catch (error) {
      this.failure = error as Error;
    }
  }

  text(): string {
    return Buffer.from(this.received.remove(this.received.length)).toString();
  }
}

export interface TestConnection {
  readonly client: TestEnd;
  readonly server: TestEnd;
}

/** Moves everything that there is in both directions, until there is no more. */
export async function exchange({ client, server }: TestConnection): Promise<void> {
  let moved: number;
  do {
    await client.step();
    moved = client.pair.output.length;
    server.pair.feed(client.pair.output);
    await server.step();
    moved += server.pair.output.length;
    client.pair.feed(server.pair.output);
  } while (moved > 0);
}

/** A handshake in memory; `failure` of each end says how it went. */
export async function connectInMemory(
  clientContext: SslContext,
  serverContext: SslContext,
  options: SslOptions = { servername: 'localhost' },
): Promise<TestConnection> {
  const connection = {
    client: new TestEnd(new Ssl(clientContext, options), false),
    server: new TestEnd(new Ssl(serverContext), true),
  };
  await exchange(connection);
  return connection;
}

export function serverContext(options: SslContextOptions = {}): SslContext {
  return new SslContext({ cert: pki.server.chainPem, key: pki.server.keyPem, ...options });
}

export function clientContext(options: SslContextOptions = {}): SslContext {
  return new SslContext({ ca: pki.ca.certPem, ...options });
}

/** What a call throws. */
export function thrownBy(call: () => unknown): Error & Record<string, unknown> {
  try {
    call();
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('nothing was thrown');
}
