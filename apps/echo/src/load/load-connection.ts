import { once } from 'node:events';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface LoadTarget {
  readonly host: string;
  readonly port: number;
  /** Speak TLS, with a server whose certificate has this SHA-256 and no other. */
  readonly fingerprint?: string;
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
    await once(connection.socket, target.fingerprint === undefined ? 'connect' : 'secureConnect');
    return connection;
  }

  private constructor(target: LoadTarget) {
    const { host, port, fingerprint } = target;
    const options: TcpNetConnectOpts = {
      host,
      port,
      noDelay: true,
      onread: {
        buffer: readMemory,
        callback: (length, memory) => {
          this.onBytes(memory as Buffer, length);
          return true;
        },
      },
    };
    this.socket = fingerprint === undefined ? connect(options) : connectPinned(options, fingerprint);
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

/** The certificate is its own authority: only its fingerprint says whose it is. */
function connectPinned(options: TcpNetConnectOpts, fingerprint: string): Socket {
  const socket = connectTls({ ...options, rejectUnauthorized: false });
  socket.setNoDelay(true);
  socket.once('secureConnect', () => {
    if (socket.getPeerX509Certificate()?.fingerprint256 === fingerprint) return;
    socket.destroy(new Error('the certificate of the server is another one'));
  });
  return socket;
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
