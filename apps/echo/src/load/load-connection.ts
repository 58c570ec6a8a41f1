import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface LoadTarget {
  readonly host: string;
  readonly port: number;
}

/** A connection without traffic for this long has failed; a hanging server must not hang its test. */
const stallMs = 30_000;

// All connections read into one piece of memory, which costs the client as little as node:net allows. The bytes are
// used up inside `onBytes`, before the next read can happen.
const readMemory = Buffer.allocUnsafe(64 * 1024);

/** One connection of the load client. */
export class LoadConnection {
  readonly socket: Socket;
  /** Called with received bytes `[0, length)` of `memory`, which are valid during the call. */
  onBytes: (memory: Buffer, length: number) => void = () => {};
  /** Resolves when the connection is closed, with what went wrong or `null`. */
  readonly closed: Promise<Error | null>;

  static async open(target: LoadTarget): Promise<LoadConnection> {
    const connection = new LoadConnection(target);
    await once(connection.socket, 'connect');
    return connection;
  }

  private constructor(target: LoadTarget) {
    this.socket = connect({
      ...target,
      noDelay: true,
      onread: {
        buffer: readMemory,
        callback: (length, memory) => {
          this.onBytes(memory as Buffer, length);
          return true;
        },
      },
    });
    this.closed = new Promise((resolve) => {
      let failure: Error | null = null;
      this.socket.once('error', (error) => {
        failure = error;
      });
      this.socket.once('close', () => resolve(failure));
    });
    this.socket.setTimeout(stallMs, () => {
      this.socket.destroy(new Error(`nothing moved for ${stallMs / 1000} s`));
    });
  }
}

/** Opens all connections at once. When one fails, the others are given up and the failure is thrown. */
export async function openConnections(target: LoadTarget, count: number): Promise<LoadConnection[]> {
  const attempts = await Promise.allSettled(Array.from({ length: count }, () => LoadConnection.open(target)));
  const opened = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  const failure = attempts.find((attempt) => attempt.status === 'rejected');
  if (failure !== undefined) {
    for (const { socket } of opened) socket.destroy();
    throw failure.reason;
  }
  return opened;
}
