// @ts-check
// The servers that ours is compared with: what a Node programmer writes in one line. Plain JavaScript, so that the process
// measured holds nothing but Node: `bare.mjs pipe | write | lines | sink`, `bare.mjs source BYTES`, `bare.mjs file PATH`.
import { createReadStream } from 'node:fs';
import { createServer } from 'node:net';
import { answerUsageQuestions } from 'echo/load/usage';
import { collectGarbageOnDemand } from './garbage-on-demand.mjs';
import { LineSplitter } from './line-splitter.mjs';

const [name = '', detail = ''] = process.argv.slice(2);
const piece = Buffer.alloc(64 * 1024);

/** @type {Record<string, (socket: import('node:net').Socket) => void>} */
const handlers = {
  pipe: (socket) => void socket.pipe(socket),
  write: (socket) => {
    socket.on('data', (data) => void socket.write(data));
    socket.on('end', () => void socket.end());
  },
  lines: (socket) => {
    const splitter = new LineSplitter();
    socket.setEncoding('utf8');
    socket.on('data', (text) => void socket.write(splitter.answer(String(text))));
    socket.on('end', () => void socket.end());
  },
  /** Answers the end with the count of what came. */
  sink: (socket) => {
    let count = 0;
    socket.on('data', (data) => {
      count += data.length;
    });
    socket.on('end', () => void socket.end(String(count)));
  },
  source: (socket) => {
    let left = Number(detail);
    const fill = () => {
      for (let welcome = true; welcome && left > 0; ) {
        const part = left < piece.length ? piece.subarray(0, left) : piece;
        left -= part.length;
        welcome = socket.write(part);
      }
      if (left === 0) socket.end();
    };
    socket.on('drain', fill);
    socket.resume();
    fill();
  },
  file: (socket) => {
    socket.resume();
    createReadStream(detail).pipe(socket);
  },
};

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
collectGarbageOnDemand();
process.once('SIGTERM', () => void server.close());
process.once('disconnect', () => process.exit());
