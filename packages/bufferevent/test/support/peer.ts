// The far end of a connection, without any bufferevent in it: sends what it is told when it is told.
import { connect as dial, type Socket } from 'node:net';
import type { Address } from 'bufferevent';
import { type Backend, type CompletionBatch, type Handle, Operation, type Port } from 'bufferevent-backend';

export interface Peer {
  /** Queues bytes. Each call is a piece of its own. */
  send(data: string | Uint8Array): void;
  /** FIN after what is queued. */
  end(): void;
  /** RST: the connection is lost at once. */
  reset(): void;
  /** Closes; queued bytes are dropped. */
  close(): void;
  /** Reading is on at the start. Off, the peer takes nothing and the sender feels it. */
  setReading(on: boolean): void;
  readonly received: Buffer;
  readonly receivedBytes: number;
  /** Bytes queued and not taken by the system. */
  readonly unsentBytes: number;
  /** The far side sent FIN. */
  readonly ended: boolean;
  /** The connection failed. */
  readonly failed: boolean;
  readonly connected: boolean;
  /** Gives everything back; nothing of this peer is open afterwards. */
  dispose(): Promise<void>;
}

function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}

/** A peer on a port of its own. */
export class PortPeer implements Peer {
  readonly #port: Port;
  readonly #handle: Handle;
  readonly #queue: Uint8Array[] = [];
  readonly #chunks: Uint8Array[] = [];
  #open = true;
  #sending = false;
  #receiving = false;
  #reading = true;
  #ending = false;
  receivedBytes = 0;
  unsentBytes = 0;
  ended = false;
  failed = false;
  connected = false;

  constructor(backend: Backend, address: Address) {
    this.#port = backend.createPort((batch) => this.#take(batch));
    this.#handle = this.#port.connect(address);
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  send(data: string | Uint8Array): void {
    const bytes = toBytes(data);
    if (bytes.length === 0) return;
    this.#queue.push(bytes);
    this.unsentBytes += bytes.length;
    this.#advance();
  }

  end(): void {
    this.#ending = true;
    this.#advance();
  }

  reset(): void {
    if (this.#open) this.#port.reset(this.#handle);
    this.#open = false;
  }

  close(): void {
    if (this.#open) this.#port.close(this.#handle);
    this.#open = false;
  }

  setReading(on: boolean): void {
    this.#reading = on;
    if (!on && this.#receiving && this.#open) this.#port.cancel(this.#handle, Operation.recv);
    this.#advance();
  }

  async dispose(): Promise<void> {
    this.#open = false;
    await this.#port[Symbol.asyncDispose]();
  }

  #advance(): void {
    if (!this.#open || !this.connected || this.failed) return;
    const first = this.#queue[0];
    if (!this.#sending && first !== undefined) {
      this.#sending = true;
      this.#port.send(this.#handle, [{ memory: first, start: 0, end: first.length }]);
    } else if (!this.#sending && this.#ending) {
      this.#ending = false;
      this.#port.shutdown(this.#handle);
    }
    if (this.#reading && !this.#receiving && !this.ended) {
      this.#receiving = true;
      this.#port.recv(this.#handle, 65_536);
    }
  }

  #take(batch: CompletionBatch): void {
    for (let index = 0; index < batch.length; index++) {
      const result = batch.result(index);
      switch (batch.operation(index)) {
        case Operation.connect:
          this.connected = result === 0;
          this.failed = result < 0;
          break;
        case Operation.recv:
          this.#receiving = false;
          if (result > 0) {
            const start = batch.start(index);
            this.#chunks.push(batch.memory(index).slice(start, start + result));
            this.receivedBytes += result;
            this.#port.release(batch.lease(index));
          } else if (result === 0) this.ended = true;
          else if (this.#reading && this.#open) this.failed = true;
          break;
        case Operation.send: {
          this.#sending = false;
          if (result < 0) {
            this.failed = this.#open;
            break;
          }
          this.unsentBytes -= result;
          const rest = this.#queue[0]?.subarray(result);
          if (rest !== undefined && rest.length > 0) this.#queue[0] = rest;
          else this.#queue.shift();
          break;
        }
      }
    }
    this.#advance();
  }
}

/** A peer on a plain socket of Node. */
export class NetPeer implements Peer {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<void>;
  receivedBytes = 0;
  ended = false;
  failed = false;
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
    this.#socket.on('error', () => {
      this.failed = true;
    });
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  send(data: string | Uint8Array): void {
    this.#socket.write(toBytes(data));
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

  setReading(on: boolean): void {
    if (on) this.#socket.resume();
    else this.#socket.pause();
  }

  async dispose(): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }
}
