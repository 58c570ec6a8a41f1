import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { LoadTarget } from '../../dist/load/index.js';
import { within } from './within.js';

/** A connected plain socket that ends only when told; destroyed when the test is over. */
export async function openPeer(target: LoadTarget): Promise<Socket> {
  const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
  onTestFinished(() => {
    socket.destroy();
  });
  await within(8_000, 'connection', once(socket, 'connect'));
  socket.on('error', () => {}); // Tests that care look at 'close'.
  return socket;
}

/** Reads until `length` bytes are there. */
export async function readBytes(socket: Socket, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let missing = length;
  const read = async (): Promise<Buffer> => {
    while (missing > 0) {
      const part = socket.read() as Buffer | null;
      if (part === null) {
        if (socket.readableEnded || socket.destroyed)
          throw new Error(`ended with ${missing} of ${length} bytes missing`);
        await readableOrEnded(socket);
      } else if (part.length <= missing) {
        parts.push(part);
        missing -= part.length;
      } else {
        parts.push(part.subarray(0, missing));
        socket.unshift(part.subarray(missing));
        missing = 0;
      }
    }
    return Buffer.concat(parts);
  };
  return within(8_000, `${length} bytes`, read());
}

async function readableOrEnded(socket: Socket): Promise<void> {
  const settled = new AbortController();
  const events = ['readable', 'end', 'close'].map((event) => once(socket, event, { signal: settled.signal }));
  await Promise.race(events);
  settled.abort();
  await Promise.allSettled(events);
}

/** Reads to the end of the stream. */
export async function readToEnd(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  const read = async (): Promise<Buffer> => {
    for await (const part of socket) parts.push(part as Buffer);
    return Buffer.concat(parts);
  };
  return within(8_000, 'end of stream', read(), () => `${Buffer.concat(parts).length} bytes so far`);
}
