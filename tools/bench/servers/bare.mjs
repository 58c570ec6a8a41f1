// @ts-check
// The servers that ours is compared with: what a Node programmer writes in one line. Plain JavaScript, so that the process
// measured holds nothing but Node: `bare.mjs pipe` or `bare.mjs write`.
import { createServer } from 'node:net';
import { answerUsageQuestions } from 'echo/load/usage';

/** @type {Record<string, (socket: import('node:net').Socket) => void>} */
const handlers = {
  pipe: (socket) => void socket.pipe(socket),
  write: (socket) => {
    socket.on('data', (data) => void socket.write(data));
    socket.on('end', () => void socket.end());
  },
};

const name = process.argv[2] ?? '';
const handler = handlers[name];
if (handler === undefined) throw new Error(`no server called "${name}"`);

const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => {}); // A client that was given up.
  handler(socket);
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  console.log(`listening on ${address.address}:${address.port} (bare ${name})`);
});
answerUsageQuestions();
process.once('SIGTERM', () => void server.close());
process.once('disconnect', () => process.exit());
