// @ts-check
// The load of an echo over TLS, the same for every server: `tls-load.mjs PORT FOLDER CONNECTIONS MESSAGE-BYTES`. Each
// connection has one message under way, and sends the next when it has come back whole. Says by a message that all are
// open; asked anything, it answers how many messages have come back. Until it is asked first, every byte is compared.
import { EventBase } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { connectTls, getSsl, SslContext } from 'bufferevent-openssl';
import { Comparison, failureOf, GROUP, HOST_NAME, pieceOf, readCredentials, SUITE } from './tls-terms.mjs';

const [port = '', folder = '', connections = '', messageBytes = ''] = process.argv.slice(2);
const piece = pieceOf(Number(messageBytes));
const base = new EventBase({ backend: epollBackend });
const { ca } = readCredentials(folder, 'ecdsa');
const context = new SslContext({ minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP, ca });

let messages = 0;
let comparing = true;

/** @type {import('bufferevent').BuffereventHandlers} */
const handlers = {
  onRead(bev) {
    const { input } = bev;
    if (input.length < piece.length) return;
    if (comparing) new Comparison(piece).add(input.remove(piece.length));
    else input.drain(piece.length);
    messages += 1;
    bev.output.addReference(piece);
  },
  onEvent(_, event) {
    if (event.kind !== 'connected') throw failureOf(event);
  },
};

const open = await Promise.all(
  Array.from({ length: Number(connections) }, () =>
    connectTls({ ip: '127.0.0.1', port: Number(port), servername: HOST_NAME, context, base }, handlers),
  ),
);
const ssl = getSsl(/** @type {import('bufferevent').Bufferevent} */ (open[0]));
const agreed = `${ssl?.protocol} ${ssl?.cipher?.name} ${ssl?.group}`;
for (const bev of open) {
  bev.setWatermarks('read', { low: piece.length });
  bev.output.addReference(piece);
}
process.on('message', () => {
  comparing = false;
  const { user, system } = process.cpuUsage();
  process.send?.({ messages, cpuSeconds: (user + system) / 1e6 });
});
process.once('disconnect', () => process.exit());
process.send?.({ agreed });
