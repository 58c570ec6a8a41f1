import { randomBytes } from 'node:crypto';
import { build, type Histogram } from 'hdr-histogram-js';
import { type LoadConnection, type LoadTarget, openConnections } from './load-connection.js';

export interface PingPongOptions {
  readonly target: LoadTarget;
  readonly connections: number;
  /** Over all connections; rounded up to a multiple of their number. */
  readonly messages: number;
  /** How many random bytes the message of a connection has, or the bytes of every message. */
  readonly messageBytes: number | Uint8Array;
}

export interface PingPongResult {
  readonly messages: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** One sentence for every connection that did not get its own bytes back. */
  readonly faults: readonly string[];
}

/** Every connection sends a message when the one before has come back. */
export async function runPingPong({
  target,
  connections,
  messages,
  messageBytes,
}: PingPongOptions): Promise<PingPongResult> {
  const perConnection = Math.ceil(messages / connections);
  const opened = await openConnections(target, connections);
  const microseconds = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 });
  const startedMs = performance.now();
  let finishedMs = startedMs;
  const outcomes = await Promise.all(
    opened.map((connection) =>
      new Pinger(connection, perConnection, messageBytes, microseconds).run(() => {
        finishedMs = performance.now();
      }),
    ),
  );
  return {
    messages: perConnection * connections,
    seconds: (finishedMs - startedMs) / 1000,
    p50Ms: microseconds.getValueAtPercentile(50) / 1000,
    p99Ms: microseconds.getValueAtPercentile(99) / 1000,
    faults: outcomes.flatMap((fault, index) => (fault === null ? [] : [`connection ${index}: ${fault}`])),
  };
}

/** One connection's part. */
class Pinger {
  readonly #connection: LoadConnection;
  readonly #message: Uint8Array;
  readonly #microseconds: Histogram;
  #left: number;
  #received = 0;
  #sentAtMs = 0;

  constructor(
    connection: LoadConnection,
    messages: number,
    messageBytes: number | Uint8Array,
    microseconds: Histogram,
  ) {
    this.#connection = connection;
    this.#left = messages;
    this.#message = typeof messageBytes === 'number' ? randomBytes(messageBytes) : messageBytes;
    this.#microseconds = microseconds;
  }

  /** Calls `onLast` with the last answer; resolves when the connection is closed, with what went wrong or `null`. */
  async run(onLast: () => void): Promise<string | null> {
    const { socket, closed } = this.#connection;
    this.#connection.onBytes = (memory, length) => {
      if (!this.#receive(memory, length)) {
        socket.destroy(new Error('other bytes came back'));
      } else if (this.#left === 0) {
        onLast();
        socket.end();
      }
    };
    this.#send();
    const failure = await closed;
    if (failure !== null) return failure.message;
    return this.#left > 0 ? `${this.#left} messages were not answered` : null;
  }

  #send(): void {
    this.#sentAtMs = performance.now();
    this.#connection.socket.write(this.#message);
  }

  /** Whether these are the bytes that are due. */
  #receive(memory: Buffer, length: number): boolean {
    const end = this.#received + length;
    if (end > this.#message.length) return false;
    if (memory.compare(this.#message, this.#received, end, 0, length) !== 0) return false;
    this.#received = end;
    if (end < this.#message.length) return true;
    this.#received = 0;
    this.#left -= 1;
    this.#microseconds.recordValue(Math.round((performance.now() - this.#sentAtMs) * 1000));
    if (this.#left > 0) this.#send();
    return true;
  }
}
