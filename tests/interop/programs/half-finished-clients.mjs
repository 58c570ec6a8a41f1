// Opens many connections, says a ClientHello on each, and nothing after it. PORT COUNT
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [port, count] = process.argv.slice(2).map(Number);
/** At a time, so that none of them finds the backlog full, and waits for a second try. */
const opening = 100;

async function clientHello() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectTls({ port: server.address().port, host: '127.0.0.1', servername: 'localhost' });
  client.on('error', () => {});
  const [socket] = await once(server, 'connection');
  const [hello] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

const hello = await clientHello();
let closed = 0;

async function half() {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed++;
    if (closed === count) process.send('closed');
  });
  socket.write(hello);
  // The server has begun its half.
  await once(socket, 'data');
}

let left = count;
await Promise.all(
  Array.from({ length: opening }, async () => {
    while (left-- > 0) await half();
  }),
);
process.send('half');
