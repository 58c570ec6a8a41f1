import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Duplex, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** Everything that a stream gives, until its end. Leaves its writable side alone, which `for await` would destroy. */
export async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await finished(stream, { writable: false, cleanup: true });
  return Buffer.concat(chunks);
}

/** The same bytes in pieces of this size. */
export function piecesOf(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

/** One of two streams that are connected in memory. What is written at one end arrives at the other in the same call. */
class Side extends Duplex {
  other!: Side;
  #release: (() => void) | null = null;

  constructor() {
    super({ allowHalfOpen: true });
  }

  override _read(): void {
    const release = this.#release;
    this.#release = null;
    release?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.other.push(chunk)) done();
    else this.other.#release = done;
  }

  override _final(done: () => void): void {
    this.other.push(null);
    done();
  }

  /** The other end is cut off. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.readableEnded || !this.writableFinished) this.other.destroy();
    done(error);
  }
}

export function streamPair(): [Duplex, Duplex] {
  const sides: [Side, Side] = [new Side(), new Side()];
  sides[0].other = sides[1];
  sides[1].other = sides[0];
  return sides;
}

/** Two sockets of Node, connected over loopback. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown];
  server.close();
  return [near, far];
}
