// @ts-check
// A server of a line protocol, which answers each line with the same line, written in one of these ways, named by the
// first argument. Plain JavaScript, so that the process measured holds nothing else.
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
  singly: {
    onRead(bev) {
      for (let line = bev.input.readLine(); line !== null; line = bev.input.readLine()) bev.write(`${line}\r\n`);
    },
    onEvent: (bev) => void bev.end(),
  },
  // No loop over lines that are awaited one by one can be faster: these are taken all at once, as by `handlers`.
  floor: {
    async onRead(bev) {
      for await (const line of promised(bev.input.readLines())) bev.write(`${line}\r\n`);
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

/**
 * @param {string[]} lines
 * @returns {AsyncIterable<string>}
 */
function promised(lines) {
  let index = 0;
  return {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        Promise.resolve(
          index === lines.length ? { value: undefined, done: true } : { value: String(lines[index++]), done: false },
        ),
    }),
  };
}

const name = process.argv[2] ?? '';
const handlers = servers[name];
if (handlers === undefined) throw new Error(`no server called "${name}"`);

const listener = await listen({ ip: '127.0.0.1', port: 0 }, handlers, { backlog: 1024 });
if (!('ip' in listener.address)) throw new Error('no address');
console.log(`listening on ${listener.address.ip}:${listener.address.port} (${name})`);
answerUsageQuestions();
process.once('SIGTERM', () => void listener.close());
process.once('disconnect', () => process.exit());
