import { type Bufferevent, createPair, type EventBase } from 'bufferevent';
import { Evbuffer } from 'evbuffer';
import { Ssl, SslBioPair, TlsLayer, type TlsLayerOptions } from '../../src/index.js';
import { type Contexts, contexts, type Version } from './versions.js';

/** A peer whose every byte on the wire is in the hand of the test. */
export class HandPeer {
  /** The wire. */
  readonly bev: Bufferevent;
  readonly tls: SslBioPair;
  readonly received: Evbuffer = new Evbuffer();
  closed = false;

  constructor(bev: Bufferevent, tls: SslBioPair) {
    this.bev = bev;
    this.tls = tls;
  }

  /** Puts what was made for the other side on the wire. */
  send(): void {
    this.bev.write(this.tls.output);
  }

  async shake(): Promise<void> {
    while (this.tls.handshake() !== 'done') {
      this.send();
      this.tls.feed((await this.bev.read()) as Uint8Array);
    }
    this.send();
  }

  write(plaintext: string | Uint8Array): void {
    this.tls.write(plaintext);
    this.send();
  }

  /** Takes what is on the wire until so much was received in all, or the end. */
  async receive(bytes: number): Promise<void> {
    while (this.received.length < bytes && !this.closed) {
      const chunk = await this.bev.read();
      if (chunk === null) throw new Error('the wire has ended');
      this.tls.feed(chunk);
      this.closed = this.tls.read(this.received) === 'closed';
      this.send();
    }
  }

  get text(): string {
    return this.received.toString('latin1');
  }
}

export interface HandPeerOptions {
  readonly contexts?: Contexts;
  readonly layer?: TlsLayerOptions;
  /** Which side is the hand's. Default the client. */
  readonly isServer?: boolean;
}

/** A connection with TLS, and its peer by hand. The handshake is not done. */
export function withHandPeer(base: EventBase, version: Version, options: HandPeerOptions = {}) {
  const { contexts: both = contexts(version), isServer = false } = options;
  const [bev, wire] = createPair(base);
  const clientSsl = new Ssl(both.client, { servername: 'localhost' });
  const serverSsl = new Ssl(both.server);
  const layer = isServer
    ? new TlsLayer(clientSsl, 'connecting', options.layer)
    : new TlsLayer(serverSsl, 'accepting', options.layer);
  const opened = bev.insertLayer(layer);
  const tls = isServer ? new SslBioPair(serverSsl, 'accepting') : new SslBioPair(clientSsl, 'connecting');
  return { bev, layer, opened, peer: new HandPeer(wire, tls) };
}
