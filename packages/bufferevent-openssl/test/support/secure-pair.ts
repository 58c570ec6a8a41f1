// Two ends of one connection under TLS, in memory, with the clock driven by hand.
import {
  type Bufferevent,
  type BuffereventEvent,
  type BuffereventHandlers,
  createPair,
  type EventBase,
  type PairBufferevent,
} from 'bufferevent';
import { Ssl, type SslContextOptions, type SslOptions, TlsLayer, type TlsLayerOptions } from '../../src/index.js';
import { type Contexts, contexts, contextsOf, type Version } from './versions.js';

export interface SecurePairOptions {
  readonly contexts?: Contexts;
  /** Of contexts that are made for this pair. */
  readonly server?: SslContextOptions;
  readonly client?: SslContextOptions;
  readonly ssl?: SslOptions;
  readonly serverLayer?: TlsLayerOptions;
  readonly clientLayer?: TlsLayerOptions;
  readonly log?: string[];
}

export interface SecurePair {
  readonly client: PairBufferevent;
  readonly server: PairBufferevent;
  readonly clientLayer: TlsLayer;
  readonly serverLayer: TlsLayer;
  /** Both handshakes. */
  readonly opened: Promise<void>;
}

/** The handshakes begin with the next turn. With a log, events of both ends are written there. */
export function securePair(base: EventBase, version: Version, options: SecurePairOptions = {}): SecurePair {
  const own = options.server !== undefined || options.client !== undefined;
  const both = options.contexts ?? (own ? contextsOf(version, options.server, options.client) : contexts(version));
  const [client, server] = createPair(base);
  const clientLayer = new TlsLayer(
    new Ssl(both.client, { servername: 'localhost', ...options.ssl }),
    'connecting',
    options.clientLayer,
  );
  const serverLayer = new TlsLayer(new Ssl(both.server), 'accepting', options.serverLayer);
  if (options.log !== undefined) {
    client.setHandlers(events(options.log, 'client'));
    server.setHandlers(events(options.log, 'server'));
  }
  const opened = Promise.all([client.insertLayer(clientLayer), server.insertLayer(serverLayer)]).then(() => {});
  opened.catch(() => {});
  return { client, server, clientLayer, serverLayer, opened };
}

/** Handlers that write each event to a log: `server error ERR_OPENSSL_TRUNCATED read`. */
export function events(log: string[], name: string, then: BuffereventHandlers = {}): BuffereventHandlers {
  return {
    ...then,
    onEvent(bev: Bufferevent, event: BuffereventEvent) {
      log.push(`${name} ${describeEvent(event)}`);
      then.onEvent?.(bev, event);
    },
  };
}

function describeEvent(event: BuffereventEvent): string {
  if (event.kind === 'error') {
    const { code } = event.error as { code?: string };
    return ['error', code ?? event.error.message, event.direction ?? ''].join(' ').trim();
  }
  return event.kind === 'timeout' ? `timeout ${event.timeout}` : event.kind;
}

/** What is on the wire: the lengths of the records of application data, from whole TLS records. */
export function recordsIn(wire: Uint8Array): { readonly type: number; readonly length: number }[] {
  const records = [];
  for (let at = 0; at + 5 <= wire.length; ) {
    const length = ((wire[at + 3] as number) << 8) | (wire[at + 4] as number);
    records.push({ type: wire[at] as number, length });
    at += 5 + length;
  }
  return records;
}

export function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('latin1');
}

/** Bytes in which no two neighbourhoods are alike. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let value = seed;
  for (let at = 0; at < length; at++) {
    value = (Math.imul(value, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = value >>> 16;
  }
  return bytes;
}

/** What a promise rejects with; fails when it is fulfilled. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error('expected a rejection');
}
