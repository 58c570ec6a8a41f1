// @ts-check
// An echo over TLS on loopback TCP: `tls-echo.mjs epoll|net|node|c-loop|node-plain FOLDER`, the last of them without TLS. Plain
// JavaScript, as users would write it, but for the loop in C.
import { once } from 'node:events';
import { createServer as createPlainServer } from 'node:net';
import { createServer } from 'node:tls';
import { EventBase } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { netBackend } from 'bufferevent-net';
import { listenTls } from 'bufferevent-openssl';
import { answerUsageQuestions } from 'echo/load/usage';
import { GROUP, readCredentials, SUITE } from './tls-terms.mjs';

const [name = '', folder = ''] = process.argv.slice(2);
const credentials = readCredentials(folder, 'ecdsa');
const { key, cert } = credentials;

/** @param {import('bufferevent').Backend} backend @returns {Promise<number>} the port */
async function ours(backend) {
  const base = new EventBase({ backend });
  const listener = await listenTls(
    { ip: '127.0.0.1', port: 0 },
    {
      onRead: (bev) => void bev.write(bev.input),
      onEvent: (bev) => void bev.end(),
    },
    { base, backlog: 1024, minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP, key, cert },
  );
  if (!('ip' in listener.address)) throw new Error('no address');
  return listener.address.port;
}

/** @param {import('node:net').Socket} socket */
function echo(socket) {
  socket.on('error', () => {}); // A client that was given up.
  socket.on('data', (data) => void socket.write(data));
}

/** @param {import('node:net').Server} server @returns {Promise<number>} the port */
async function listening(server) {
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 });
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  return address.port;
}

/** @type {Record<string, () => Promise<number>>} */
const servers = {
  epoll: () => ours(epollBackend),
  net: () => ours(netBackend),
  node: () =>
    listening(
      createServer({ minVersion: 'TLSv1.3', ciphers: SUITE, ecdhCurve: GROUP, key, cert, noDelay: true }, echo),
    ),
  'node-plain': () => listening(createPlainServer({ noDelay: true }, echo)),
  'c-loop': async () => (await import('./tls-c-loop.mjs')).serve(credentials),
};
const start = servers[name];
if (start === undefined) throw new Error(`no server called "${name}"`);
console.log(`listening on 127.0.0.1:${await start()} (${name})`);
answerUsageQuestions();
process.once('disconnect', () => process.exit());
