import { createHash, type Hash } from 'node:crypto';
import { type ByteSource, FixedBytes, RandomBytes } from './byte-source.js';
import { type LoadConnection, type LoadTarget, openConnections } from './load-connection.js';

export interface BulkOptions {
  readonly target: LoadTarget;
  readonly connections: number;
  /** Over all connections. */
  readonly bytes: number;
  /** Random bytes, compared by SHA-256. Without it only lengths are compared, so that the server is measured and not the hash. */
  readonly verify: boolean;
  /** Bytes that came back so far; called often. */
  readonly onProgress?: (bytes: number) => void;
}

export interface BulkResult {
  readonly bytes: number;
  readonly seconds: number;
  /** One sentence for every connection that did not get its own bytes back. */
  readonly faults: readonly string[];
}

const writeBytes = 64 * 1024;

/** Sends over all connections at once, half-closes each, and waits until each has everything back and the server's end. */
export async function runBulk(options: BulkOptions): Promise<BulkResult> {
  const { target, connections, bytes, verify, onProgress } = options;
  const opened = await openConnections(target, connections);
  let total = 0;
  const count = (length: number): void => {
    total += length;
    onProgress?.(total);
  };
  const startedMs = performance.now();
  const outcomes = await Promise.all(
    opened.map((connection, index) => {
      const share = Math.floor(bytes / connections) + (index < bytes % connections ? 1 : 0);
      return new Transfer(connection, share, verify, count).run();
    }),
  );
  return {
    bytes: total,
    seconds: (performance.now() - startedMs) / 1000,
    faults: outcomes.flatMap((fault, index) => (fault === null ? [] : [`connection ${index}: ${fault}`])),
  };
}

/** One connection's part. */
class Transfer {
  readonly #connection: LoadConnection;
  readonly #source: ByteSource;
  readonly #sentHash: Hash | null;
  readonly #receivedHash: Hash | null;
  readonly #bytes: number;
  readonly #count: (length: number) => void;
  #unsent: number;
  #received = 0;

  constructor(connection: LoadConnection, bytes: number, verify: boolean, count: (length: number) => void) {
    this.#connection = connection;
    this.#bytes = bytes;
    this.#unsent = bytes;
    this.#count = count;
    this.#source = verify ? new RandomBytes(writeBytes) : new FixedBytes(writeBytes);
    this.#sentHash = verify ? createHash('sha256') : null;
    this.#receivedHash = verify ? createHash('sha256') : null;
  }

  /** Resolves with what went wrong, or `null`. */
  async run(): Promise<string | null> {
    const { socket, closed } = this.#connection;
    this.#connection.onBytes = (memory, length) => this.#receive(memory, length);
    socket.on('drain', () => this.#pump());
    this.#pump();
    return (await closed)?.message ?? this.#compare();
  }

  #pump(): void {
    const { socket } = this.#connection;
    if (socket.destroyed) return;
    while (this.#unsent > 0) {
      const chunk = this.#source.next(Math.min(this.#unsent, writeBytes));
      this.#unsent -= chunk.length;
      this.#sentHash?.update(chunk);
      if (!socket.write(chunk)) break; // Goes on at 'drain'.
    }
    if (this.#unsent === 0 && !socket.writableEnded) socket.end();
  }

  #receive(memory: Buffer, length: number): void {
    this.#received += length;
    this.#receivedHash?.update(memory.subarray(0, length));
    this.#count(length);
  }

  #compare(): string | null {
    if (this.#received !== this.#bytes) return `${this.#received} of ${this.#bytes} bytes came back`;
    if (this.#sentHash?.digest('hex') !== this.#receivedHash?.digest('hex')) return 'the SHA-256 differs';
    return null;
  }
}
