// @ts-check
// The servers on Deno's own sockets, run by Deno: `deno.mjs echo | lines | sink`, `deno.mjs source BYTES`.
import { LineSplitter } from './line-splitter.mjs';

/**
 * @typedef {{ read(into: Uint8Array): Promise<number | null>, write(bytes: Uint8Array): Promise<number>, close(): void,
 *   setNoDelay(on?: boolean): void }} Connection
 * @typedef {{ listen(options: { hostname: string, port: number, tcpBacklog: number }): AsyncIterable<Connection> & { addr: { port: number } },
 *   args: string[], addSignalListener(signal: string, listener: () => void): void }} DenoRuntime
 */
const { Deno } = /** @type {{ Deno: DenoRuntime }} */ (/** @type {unknown} */ (globalThis));

const BUFFER_BYTES = 64 * 1024;
const [name = '', detail = ''] = Deno.args;
const encoder = new TextEncoder();

/**
 * @param {Connection} connection
 * @param {Uint8Array} bytes
 */
async function writeAll(connection, bytes) {
  for (let sent = 0; sent < bytes.length; ) sent += await connection.write(sent === 0 ? bytes : bytes.subarray(sent));
}

/** @type {Record<string, (connection: Connection) => Promise<void>>} */
const servers = {
  async echo(connection) {
    const buffer = new Uint8Array(BUFFER_BYTES);
    for (let length = await connection.read(buffer); length !== null; length = await connection.read(buffer)) {
      await writeAll(connection, buffer.subarray(0, length));
    }
  },
  async lines(connection) {
    const buffer = new Uint8Array(BUFFER_BYTES);
    const splitter = new LineSplitter();
    const decoder = new TextDecoder();
    for (let length = await connection.read(buffer); length !== null; length = await connection.read(buffer)) {
      const text = decoder.decode(buffer.subarray(0, length), { stream: true });
      await writeAll(connection, encoder.encode(splitter.answer(text)));
    }
  },
  async sink(connection) {
    const buffer = new Uint8Array(BUFFER_BYTES);
    let count = 0;
    for (let length = await connection.read(buffer); length !== null; length = await connection.read(buffer)) {
      count += length;
    }
    await writeAll(connection, encoder.encode(String(count)));
  },
  async source(connection) {
    const piece = new Uint8Array(BUFFER_BYTES);
    for (let left = Number(detail); left > 0; left -= BUFFER_BYTES) {
      await writeAll(connection, left < BUFFER_BYTES ? piece.subarray(0, left) : piece);
    }
  },
};

const serve = servers[name];
if (serve === undefined) throw new Error(`no server called "${name}"`);

const listener = Deno.listen({ hostname: '127.0.0.1', port: 0, tcpBacklog: 1024 });
console.log(`listening on 127.0.0.1:${listener.addr.port}`);
Deno.addSignalListener('SIGUSR2', () => void globalThis.gc?.());
for await (const connection of listener) {
  connection.setNoDelay(true);
  serve(connection)
    .catch(() => {}) // A client that was given up.
    .finally(() => connection.close());
}
