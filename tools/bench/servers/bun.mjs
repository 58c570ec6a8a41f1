// @ts-check
// The servers on Bun's own sockets, run by Bun: `bun.mjs echo | lines | sink`, `bun.mjs source BYTES`.
import { LineSplitter } from './line-splitter.mjs';

/**
 * @typedef {{ rest: Uint8Array | null, splitter: LineSplitter, decoder: InstanceType<typeof TextDecoder>, count: number }} State
 * @typedef {{ data: State, write(bytes: Uint8Array): number, end(): void, setNoDelay(on: boolean): void }} Socket
 * @typedef {{ open(socket: Socket): void, data(socket: Socket, bytes: Uint8Array): void, drain(socket: Socket): void,
 *   end(socket: Socket): void, error(): void }} SocketHandlers
 * @typedef {{ listen(options: { hostname: string, port: number, allowHalfOpen: boolean, socket: SocketHandlers }): { port: number },
 *   gc(synchronously: boolean): void }} BunRuntime
 */
const { Bun } = /** @type {{ Bun: BunRuntime }} */ (/** @type {unknown} */ (globalThis));

const [name = '', detail = ''] = process.argv.slice(2);
const piece = new Uint8Array(64 * 1024);
const encoder = new TextEncoder();

/**
 * What the system does not take waits for `drain`.
 * @param {Socket} socket
 * @param {Uint8Array} bytes
 */
function send(socket, bytes) {
  const { data } = socket;
  if (data.rest !== null) {
    data.rest = Buffer.concat([data.rest, bytes]);
    return;
  }
  const written = Math.max(0, socket.write(bytes));
  if (written < bytes.length) data.rest = bytes.slice(written);
}

/** @param {Socket} socket */
function fill(socket) {
  const { data } = socket;
  while (data.rest === null && data.count > 0) {
    const part = data.count < piece.length ? piece.subarray(0, data.count) : piece;
    data.count -= part.length;
    send(socket, part);
  }
  if (data.rest === null) socket.end();
}

/** @type {Record<string, (socket: Socket, bytes: Uint8Array) => void>} */
const receivers = {
  echo: send,
  lines: (socket, bytes) => {
    const { splitter, decoder } = socket.data;
    send(socket, encoder.encode(splitter.answer(decoder.decode(bytes, { stream: true }))));
  },
  sink: (socket, bytes) => {
    socket.data.count += bytes.length;
  },
  source: () => {},
};

const receive = receivers[name];
if (receive === undefined) throw new Error(`no server called "${name}"`);

const { port } = Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  allowHalfOpen: true,
  socket: {
    open(socket) {
      socket.data = {
        rest: null,
        splitter: new LineSplitter(),
        decoder: new TextDecoder(),
        count: name === 'source' ? Number(detail) : 0,
      };
      socket.setNoDelay(true);
      if (name === 'source') fill(socket);
    },
    data: receive,
    drain(socket) {
      const { rest } = socket.data;
      if (rest !== null) {
        socket.data.rest = null;
        send(socket, rest);
      }
      if (name === 'source') fill(socket);
    },
    end(socket) {
      if (name === 'sink') send(socket, encoder.encode(String(socket.data.count)));
      socket.end();
    },
    error() {}, // A client that was given up.
  },
});
console.log(`listening on 127.0.0.1:${port}`);
process.on('SIGUSR2', () => void Bun.gc(true));
