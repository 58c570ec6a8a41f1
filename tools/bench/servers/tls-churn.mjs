// @ts-check
// Connections that come and go, with both ends in this process: `tls-churn.mjs memory|epoll FOLDER CONNECTIONS`. Each makes its
// handshake, has one message echoed, is ended cleanly by both sides and freed. Prints as JSON the median of the resident
// memory in each third of the run, in MiB.
import { createPair, EventBase } from 'bufferevent';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { epollBackend } from 'bufferevent-epoll';
import { connectTls, listenTls, OpensslBufferevent, Ssl, SslContext } from 'bufferevent-openssl';
import { failureOf, GROUP, HOST_NAME, readCredentials, repeat, SUITE } from './tls-terms.mjs';

const [where = '', folder = '', connections = ''] = process.argv.slice(2);
const { key, cert, ca } = readCredentials(folder, 'ecdsa');
const terms = /** @type {const} */ ({ minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP });
const clients = new SslContext({ ...terms, ca });
const servers = new SslContext({ ...terms, key, cert });
const message = new Uint8Array(1024);

/** Connections that are there at once. */
const AT_ONCE = 32;
const SAMPLES = 99;
const MIB = 2 ** 20;

/** @typedef {import('bufferevent').Bufferevent} Bufferevent */

/** @type {import('bufferevent').BuffereventHandlers} */
const echo = {
  onRead: (bev) => void bev.write(bev.input),
  onEvent(bev, event) {
    if (event.kind === 'eof') void endAndFree(bev);
    else if (event.kind !== 'connected') throw failureOf(event);
  },
};

/** @param {Bufferevent} bev */
async function endAndFree(bev) {
  const cause = await bev.end();
  if (cause.kind !== 'clean') throw new Error(`a connection has ended as ${cause.kind}`);
  bev.free();
}

/** @type {Record<string, () => Promise<() => Promise<Bufferevent>>>} Each gives the way to a new connection. */
const ways = {
  async memory() {
    const base = new EventBase({ backend: createMemoryBackend() });
    return () =>
      new Promise((resolve, reject) => {
        const [near, far] = createPair(base);
        const server = OpensslBufferevent.filter(far, new Ssl(servers), 'accepting', { handlers: echo });
        server.enable('read');
        const client = OpensslBufferevent.filter(near, new Ssl(clients, { servername: HOST_NAME }), 'connecting', {
          handlers: {
            onEvent(_, event) {
              if (event.kind === 'connected') resolve(client);
              else reject(failureOf(event));
            },
          },
        });
      });
  },
  async epoll() {
    const base = new EventBase({ backend: epollBackend });
    const { address } = await listenTls({ ip: '127.0.0.1', port: 0 }, echo, { base, backlog: 1024, context: servers });
    if (!('ip' in address)) throw new Error('no address');
    return () => connectTls({ ip: address.ip, port: address.port, servername: HOST_NAME, context: clients, base });
  },
};

const way = ways[where];
if (way === undefined) throw new Error(`no way called "${where}"`);
const connect = await way();

async function use() {
  const bev = await connect();
  bev.write(message);
  await bev.read(message.length);
  await endAndFree(bev);
}

/** @type {number[]} */
const samples = [];
for (let sample = 0; sample < SAMPLES; sample++) {
  await repeat(Math.ceil(Number(connections) / SAMPLES), AT_ONCE, (done) => void use().then(() => done(), done));
  samples.push(process.memoryUsage.rss() / MIB);
}
const third = SAMPLES / 3;
/** @param {number} index */
const medianOf = (index) => samples.slice(index * third, (index + 1) * third).sort((a, b) => a - b)[(third - 1) / 2];
console.log(JSON.stringify({ first: medianOf(0), middle: medianOf(1), last: medianOf(2) }));
process.exit();
