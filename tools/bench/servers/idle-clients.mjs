// @ts-check
// Connections that do nothing, from a process of their own: `idle-clients.mjs PORT`. Told by messages: `{ open }` opens so
// many more.
import { connect } from 'node:net';

const port = Number(process.argv[2]);
/** Connections on their way at once. */
const WAVE = 200;

/** @type {unknown[]} */
const kept = [];

/** @returns {Promise<void>} */
function open() {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, resolve);
    socket.once('error', reject);
    kept.push(socket);
  });
}

process.on('message', async (/** @type {{ open: number }} */ message) => {
  for (let left = message.open; left > 0; left -= WAVE) {
    await Promise.all(Array.from({ length: Math.min(left, WAVE) }, open));
  }
});
process.send?.({ ready: true });
process.once('disconnect', () => process.exit());
