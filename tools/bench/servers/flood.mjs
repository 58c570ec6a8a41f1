// @ts-check
// The far ends of connections to measure: `flood.mjs PORT FLOODING RESTING` makes that many that send without a pause, and
// that many that send nothing. Ends with its standard input.
import { connect } from 'node:net';

const [port, flooding, resting] = process.argv.slice(2).map(Number);
if (port === undefined || flooding === undefined || resting === undefined) throw new Error('three numbers are wanted');
const chunk = Buffer.alloc(256 * 1024, 'x');

/** @returns {Promise<import('node:net').Socket>} */
const dial = () =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });

for (let index = 0; index < flooding; index++) {
  const socket = await dial();
  const flood = () => {
    while (socket.write(chunk));
  };
  socket.on('drain', flood);
  flood();
}
for (let made = 0; made < resting; made += 100) {
  await Promise.all(Array.from({ length: Math.min(100, resting - made) }, dial));
}
process.stdin.on('end', () => process.exit()).resume();
