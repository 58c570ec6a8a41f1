// The far end of a connection, without any bufferevent in it: sends what it is told when it is told. In memory it is the
// published one.
import { connect as dial, type Socket } from 'node:net';
import type { Address } from 'bufferevent';
import type { ScriptedPeer } from 'bufferevent/testing';

/** What peers in memory and on sockets have in common. */
export type Peer = Pick<
  ScriptedPeer,
  | 'close'
  | 'connected'
  | 'end'
  | 'ended'
  | 'readOn'
  | 'received'
  | 'receivedBytes'
  | 'reset'
  | 'stopReading'
  | 'unsentBytes'
> & {
  /** Queues bytes. Each call is a piece of its own. */
  send(data: string | Uint8Array): void;
  /** What the connection failed with. */
  readonly failure: Error | null;
};

/** A peer on a plain socket of Node. */
export class NetPeer implements Peer {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<void>;
  receivedBytes = 0;
  ended = false;
  failure: Error | null = null;
  connected = false;

  constructor(address: Address) {
    const target = 'path' in address ? { path: address.path } : { host: address.ip, port: address.port };
    this.#socket = dial({ ...target, allowHalfOpen: true, noDelay: true });
    this.#closed = new Promise((resolve) => {
      this.#socket.once('close', () => resolve());
    });
    this.#socket.on('connect', () => {
      this.connected = true;
    });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.receivedBytes += chunk.length;
    });
    this.#socket.on('end', () => {
      this.ended = true;
    });
    this.#socket.on('error', (error) => {
      this.failure = error;
    });
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  send(data: string | Uint8Array): void {
    this.#socket.write(data);
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  stopReading(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  /** Gives everything back; nothing of this peer is open afterwards. */
  async dispose(): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }
}
