// @ts-check
// Opens connections, has one message echoed on each, and holds them: `tls-idle-clients.mjs plain|tls PORT FOLDER`. Told
// `{ open }`, it opens so many more, and answers when all of them have their answer.
import { connect, EventBase } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { connectTls, SslContext } from 'bufferevent-openssl';
import { GROUP, HOST_NAME, readCredentials, repeat, SUITE } from './tls-terms.mjs';

const [kind = '', portText = '', folder = ''] = process.argv.slice(2);
const base = new EventBase({ backend: epollBackend });
const target = { ip: '127.0.0.1', port: Number(portText) };
const { ca } = readCredentials(folder, 'ecdsa');
const context = new SslContext({ minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP, ca });
const message = new Uint8Array(64);

/** Connections on their way at once. */
const AT_ONCE = 64;

/** @type {unknown[]} */
const kept = [];

async function open() {
  const bev = await (kind === 'tls'
    ? connectTls({ ...target, servername: HOST_NAME, context, base })
    : connect(target, undefined, { base }));
  bev.write(message);
  await bev.read(message.length);
  kept.push(bev);
}

process.on('message', async (/** @type {{ open: number }} */ { open: count }) => {
  await repeat(count, AT_ONCE, (done) => void open().then(() => done(), done));
  process.send?.({ opened: count });
});
process.once('disconnect', () => process.exit());
process.send?.({ ready: true });
