// An echo server of ours that tells its parent how it is. HANDSHAKE_MS CERTIFICATE KEY
import { listenTls } from 'bufferevent-openssl';

const [handshakeMs, certFile, keyFile] = process.argv.slice(2);
const failures = {};

const listener = await listenTls(
  { ip: '127.0.0.1', port: 0 },
  {
    onRead: (bev) => bev.write(bev.input),
    onEvent: (bev, { kind }) => (kind === 'eof' ? void bev.end() : bev.free()),
    onHandshakeError({ code }) {
      failures[code] = (failures[code] ?? 0) + 1;
    },
  },
  { handshakeMs: Number(handshakeMs), certFile, keyFile, backlog: 4096 },
);

process.on('message', () => {
  globalThis.gc?.();
  process.send({ ...listener.stats(), failures, rss: process.memoryUsage().rss });
});
process.send({ port: listener.address.port });
