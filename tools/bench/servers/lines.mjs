// @ts-check
// A server of a line protocol, which answers each line with the same line, written in one of two ways:
// `lines.mjs handlers` or `lines.mjs loop`. Plain JavaScript, so that the process measured holds nothing else.
import { listen } from 'bufferevent';
import { answerUsageQuestions } from 'echo/load/usage';

/** @type {Record<string, import('bufferevent').ListenHandlers>} */
const servers = {
  handlers: {
    onRead(bev) {
      for (const line of bev.input.readLines()) bev.write(`${line}\r\n`);
    },
    onEvent: (bev) => void bev.end(),
  },
  loop: {
    async onConnection(bev) {
      for await (const line of bev.lines()) bev.write(`${line}\r\n`);
      await bev.end();
    },
  },
};

const name = process.argv[2] ?? '';
const handlers = servers[name];
if (handlers === undefined) throw new Error(`no server called "${name}"`);

const listener = await listen({ ip: '127.0.0.1', port: 0 }, handlers, { backlog: 1024 });
if (!('ip' in listener.address)) throw new Error('no address');
console.log(`listening on ${listener.address.ip}:${listener.address.port} (${name})`);
answerUsageQuestions();
process.once('SIGTERM', () => void listener.close());
process.once('disconnect', () => process.exit());
