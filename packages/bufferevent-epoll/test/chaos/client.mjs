// Keeps many connections to an echo server and maltreats each in its own way: `node client.mjs <port> <seed> <count>`, with
// a channel to its parent. After any message it ends them all and says how many there were and whether each byte that
// came back was right.
import { connect } from 'node:net';
import { Random } from './random.mjs';

const [port, seed, count] = process.argv.slice(2).map(Number);
const random = new Random(seed);
const counts = { made: 0, bytes: 0, wrong: 0 };
const patternBytes = 251;
/** Begins with every byte of the pattern, so that a connection can begin anywhere. */
const pattern = Buffer.from(Array.from({ length: 400_000 }, (_, at) => at % patternBytes));
const open = new Set();
let stopping = false;

const endings = [
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.destroy(),
  // The echo of the rest is still read.
  (socket) => socket.end(),
  (socket) => {
    socket.pause();
    setTimeout(() => random.pick(endings)(socket.resume()), random.below(1000));
  },
  (socket) => setTimeout(() => random.pick(endings)(socket), random.below(500)),
];

function begin() {
  counts.made++;
  const first = random.below(patternBytes);
  const total = random.pick([0, 1, 100, 10_000, 300_000]);
  const enough = random.below(total + 1);
  const end = random.pick(endings);
  let received = 0;
  let ending = false;
  const endIfEnough = () => {
    if (received < enough || ending) return;
    ending = true;
    end(socket);
  };
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: random.oneIn(2) });
  open.add(socket);
  socket.on('connect', () => {
    if (total > 0) socket.write(pattern.subarray(first, first + total));
    endIfEnough();
  });
  socket.on('data', (bytes) => {
    const expected = pattern.subarray(first + received, first + received + bytes.length);
    if (!expected.equals(bytes)) counts.wrong++;
    received += bytes.length;
    counts.bytes += bytes.length;
    endIfEnough();
  });
  socket.on('end', () => socket.end());
  socket.on('error', () => undefined);
  socket.on('close', () => {
    open.delete(socket);
    if (!stopping) setTimeout(begin, random.below(20));
    else if (open.size === 0) report();
  });
}

function report() {
  process.send(counts, () => process.exit());
}

process.on('message', () => {
  stopping = true;
  for (const socket of open) socket.destroy();
  if (open.size === 0) report();
});
for (let index = 0; index < count; index++) begin();
