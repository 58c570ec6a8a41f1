// @ts-check
// Holds connections that have each echoed one message and do nothing since: `tls-idle.mjs plain|tls|node-plain|node-tls
// FOLDER`, the first two on epoll. Wants --expose-gc. Told `{ until }`, it answers `{ residentBytes }` when so many have echoed.
import { once } from 'node:events';
import { createServer as createPlainServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { EventBase, listen } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { listenTls } from 'bufferevent-openssl';
import { GROUP, readCredentials, SUITE } from './tls-terms.mjs';

const [kind = '', folder = ''] = process.argv.slice(2);
const { key, cert } = readCredentials(folder, 'ecdsa');
const address = { ip: '127.0.0.1', port: 0 };
const collectGarbage = /** @type {() => void} */ (globalThis.gc);

const LOOK_MS = 100;
const LOOKS = 100;
/** Two looks that differ by no more show the same. */
const SAME_BYTES = 128 * 1024;

let echoed = 0;
/** @type {unknown[]} */
const kept = [];

/** @type {import('bufferevent').ListenHandlers & import('bufferevent-openssl').ListenTlsHandlers} */
const handlers = {
  onRead(bev) {
    bev.write(bev.input);
    echoed += 1;
  },
};

/** @param {import('bufferevent').Listener | import('bufferevent-openssl').TlsListener} listener */
function portOf(listener) {
  kept.push(listener);
  if (!('ip' in listener.address)) throw new Error('no address');
  return listener.address.port;
}

/** @param {import('node:net').Server} server */
async function portOfNode(server) {
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 });
  await once(server, 'listening');
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) throw new Error('no address');
  return bound.port;
}

/** @param {import('node:net').Socket} socket */
function echo(socket) {
  socket.on('error', () => {});
  socket.on('data', (data) => {
    socket.write(data);
    echoed += 1;
  });
}

/** @type {Record<string, () => Promise<number>>} */
const servers = {
  async plain() {
    const base = new EventBase({ backend: epollBackend });
    return portOf(await listen(address, handlers, { base, backlog: 1024 }));
  },
  async tls() {
    const base = new EventBase({ backend: epollBackend });
    const terms = /** @type {const} */ ({ minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP });
    return portOf(await listenTls(address, handlers, { base, backlog: 1024, ...terms, key, cert }));
  },
  'node-plain': () => portOfNode(createPlainServer(echo)),
  'node-tls': () =>
    portOfNode(createTlsServer({ minVersion: 'TLSv1.3', ciphers: SUITE, ecdhCurve: GROUP, key, cert }, echo)),
};

async function residentBytes() {
  let last = Number.NaN;
  for (let looks = 0; looks < LOOKS; looks++) {
    collectGarbage();
    // Finalizers run meanwhile, and let go of more.
    await wait(LOOK_MS);
    const before = last;
    last = process.memoryUsage.rss();
    if (Math.abs(last - before) <= SAME_BYTES) return last;
  }
  throw new Error('the memory does not come to rest');
}

const start = servers[kind];
if (start === undefined) throw new Error(`nothing called "${kind}" holds connections`);
const port = await start();
process.on('message', async (/** @type {{ until: number }} */ { until }) => {
  while (echoed < until) await wait(LOOK_MS);
  process.send?.({ residentBytes: await residentBytes() });
});
process.once('disconnect', () => process.exit());
process.send?.({ port });
