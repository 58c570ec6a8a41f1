// One end of a conversation over node:tls, in whatever runtime runs this. See src/scripted-peer.ts.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:tls';
import { parseArgs } from 'node:util';

const text = { type: 'string' };
const { values: words } = parseArgs({
  options: {
    ...{ role: text, port: text, version: text, bytes: text, connections: text, ca: text, alpn: text },
    ...{ certificate: text, key: text, pkcs12: text, password: text, 'client-certificate': text },
  },
});
const bytes = Number(words.bytes);
const connections = Number(words.connections);
const context = {
  minVersion: words.version,
  maxVersion: words.version,
  ca: readFileSync(words.ca),
  ...(words.certificate && { cert: readFileSync(words.certificate), key: readFileSync(words.key) }),
  ...(words.alpn && { ALPNProtocols: [words.alpn] }),
};

async function send(socket) {
  const hash = createHash('sha256');
  const random = randomBytes(65536);
  for (let offset = 0; offset < bytes; offset += random.length) {
    const piece = Buffer.from(random.subarray(0, Math.min(random.length, bytes - offset)));
    if (piece.length >= 8) piece.writeDoubleLE(offset);
    hash.update(piece);
    // No waiting for `drain`: that does not come any more when the peer ends first.
    await new Promise((resolve) => socket.write(piece, resolve));
  }
  return { bytes, sha256: hash.digest('hex') };
}

function receive(socket) {
  const hash = createHash('sha256');
  let count = 0;
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk) => {
      hash.update(chunk);
      count += chunk.length;
      if (count >= bytes) resolve({ bytes: count, sha256: hash.digest('hex') });
    });
    socket.once('end', () => reject(new Error(`ended after ${count} bytes`)));
  });
}

async function converse(socket, isClient) {
  const facts = {
    protocol: socket.getProtocol(),
    alpn: socket.alpnProtocol || '',
    isResumed: socket.isSessionReused(),
    // A resumed session does not bring it back.
    peerName: socket.isSessionReused() ? null : (socket.getPeerCertificate()?.subject?.CN ?? ''),
  };
  const closed = once(socket, 'close');
  const ended = once(socket, 'end');
  const [sent, received] = await Promise.all([send(socket), receive(socket)]);
  if (!isClient) await ended;
  socket.end();
  await closed;
  // Not told apart by node:tls.
  console.log(JSON.stringify({ ...facts, sent, received, end: null }));
}

if (words.role === 'client') {
  let session;
  for (let count = 0; count < connections; count++) {
    const socket = connect({
      ...context,
      host: '127.0.0.1',
      port: Number(words.port),
      servername: 'localhost',
      session,
    });
    socket.on('session', (fresh) => {
      session = fresh;
    });
    await once(socket, 'secureConnect');
    await converse(socket, true);
  }
} else {
  const wantsCertificate = words['client-certificate'] !== undefined;
  const server = createServer({ ...context, requestCert: wantsCertificate, rejectUnauthorized: wantsCertificate });
  const over = [];
  server.on('tlsClientError', (error) => {
    throw error;
  });
  server.on('secureConnection', (socket) => {
    over.push(converse(socket, false));
    if (over.length === connections) void Promise.all(over).then(() => process.exit());
  });
  server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ listening: server.address().port })));
}
