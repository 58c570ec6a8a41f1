// @ts-check
// The load of an echo over TLS, the same for every server: `tls-load.mjs tls|plain PORT FOLDER CONNECTIONS MESSAGE-BYTES`. Each
// connection has one message under way, and sends the next when it has come back whole. Says by a message that all are
// open; told `go` and `rest` it begins and lets it be, at either of them and at `count` it answers how many messages have
// come back. At first, until it has rested once, every byte is compared.
import { setImmediate } from 'node:timers/promises';
import { connect, EventBase } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { connectTls, getSsl, SslContext } from 'bufferevent-openssl';
import { Comparison, failureOf, GROUP, HOST_NAME, pieceOf, readCredentials, SUITE } from './tls-terms.mjs';

const [kind = '', port = '', folder = '', connections = '', messageBytes = ''] = process.argv.slice(2);
const piece = pieceOf(Number(messageBytes));
const base = new EventBase({ backend: epollBackend });
const { ca } = readCredentials(folder, 'ecdsa');
const context = new SslContext({ minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP, ca });

let messages = 0;
let sent = 0;
let comparing = true;
let going = false;

/** @type {import('bufferevent').BuffereventHandlers} */
const handlers = {
  onRead(bev) {
    const { input } = bev;
    if (input.length < piece.length) return;
    if (comparing) new Comparison(piece).add(input.remove(piece.length));
    else input.drain(piece.length);
    messages += 1;
    if (!going) return;
    sent += 1;
    bev.output.addReference(piece);
  },
  onEvent(_, event) {
    if (event.kind !== 'connected') throw failureOf(event);
  },
};

const target = { ip: '127.0.0.1', port: Number(port) };
const open = await Promise.all(
  Array.from({ length: Number(connections) }, () =>
    kind === 'tls'
      ? connectTls({ ...target, servername: HOST_NAME, context, base }, handlers)
      : connect(target, handlers, { base }),
  ),
);
const ssl = getSsl(/** @type {import('bufferevent').Bufferevent} */ (open[0]));
const agreed = `${ssl?.protocol} ${ssl?.cipher?.name} ${ssl?.group}`;
for (const bev of open) {
  bev.setWatermarks('read', { low: piece.length });
}
process.on('message', async (message) => {
  if (message === 'go') {
    going = true;
    sent += open.length;
    for (const bev of open) bev.output.addReference(piece);
  } else if (message === 'rest') {
    going = false;
    comparing = false;
    while (messages < sent) await setImmediate();
  }
  const { user, system } = process.cpuUsage();
  process.send?.({ messages, cpuSeconds: (user + system) / 1e6 });
});
process.once('disconnect', () => process.exit());
process.send?.({ agreed });
