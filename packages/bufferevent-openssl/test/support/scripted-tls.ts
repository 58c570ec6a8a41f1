import type { ScriptedPeer, TestBase } from 'bufferevent/testing';
import { Evbuffer } from 'evbuffer';
import { SslBioPair } from '../../src/index.js';
import { newSsl, type Version } from './versions.js';

/** TLS at the far end of a connection in memory, without a bufferevent in it, that can be stopped at any byte. */
export class ScriptedTls {
  readonly peer: ScriptedPeer;
  readonly tls: SslBioPair;
  readonly received: Evbuffer = new Evbuffer();
  readonly #test: TestBase;
  /** Lengths of what was sent in one go. */
  readonly flights: number[] = [];
  #fed = 0;

  constructor(test: TestBase, peer: ScriptedPeer, version: Version, state: 'connecting' | 'accepting') {
    this.#test = test;
    this.peer = peer;
    this.tls = new SslBioPair(newSsl(version, state), state);
  }

  get sentBytes(): number {
    return this.flights.reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Answers what comes until both sides have nothing more to say, or `mostBytes` were sent in all.
   * @returns whether that many were
   */
  async shake(mostBytes = Infinity): Promise<boolean> {
    for (;;) {
      if (this.sentBytes >= mostBytes) return true;
      await this.#test.settle();
      const { received } = this.peer;
      this.tls.feed(received.subarray(this.#fed));
      this.#fed = received.length;
      if (this.tls.handshake() === 'done') this.tls.read(this.received);
      const { output } = this.tls;
      const bytes = output.remove(Math.min(output.length, mostBytes - this.sentBytes));
      if (bytes.length === 0) return false;
      this.flights.push(bytes.length);
      void this.peer.send(bytes);
    }
  }
}
