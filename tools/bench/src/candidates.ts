import { fileURLToPath } from 'node:url';
import { ServerProcess } from 'echo/load';

/** A server to measure. */
export interface Candidate {
  readonly name: string;
  readonly module: string;
  readonly words: readonly string[];
}

const echoMain = fileURLToPath(new URL('../../../apps/echo/dist/main.js', import.meta.url));
const bareServer = fileURLToPath(new URL('../servers/bare.mjs', import.meta.url));
const serve = ['serve', '--host', '127.0.0.1', '--port', '0', '--backend', 'net', '--quiet'];

/** Ours, as users get it. */
export const ours: Candidate = { name: 'bufferevent on net', module: echoMain, words: serve };

export const oursWithoutAsyncContext: Candidate = {
  name: 'bufferevent on net, `asyncContext: false`',
  module: echoMain,
  words: [...serve, '--no-async-context'],
};

export const barePipe: Candidate = { name: 'bare `socket.pipe(socket)`', module: bareServer, words: ['pipe'] };

export const bareWrite: Candidate = {
  name: "bare `socket.on('data', (d) => socket.write(d))`",
  module: bareServer,
  words: ['write'],
};

const lineServer = fileURLToPath(new URL('../servers/lines.mjs', import.meta.url));

const lineServerWrittenAs = (name: string, word: string): Candidate => ({ name, module: lineServer, words: [word] });

/** The same line server, written in several ways. */
export const lineLoop = lineServerWrittenAs('`for await (const line of bev.lines())`', 'loop');
export const lineLoopOverArray = lineServerWrittenAs(
  '`onRead` with `for await` over the array of `readLines()`',
  'floor',
);
export const lineHandlersSingly = lineServerWrittenAs('`onRead` with `input.readLine()`', 'singly');
export const lineHandlers = lineServerWrittenAs('`onRead` with `input.readLines()`', 'handlers');

/** Starts it in a process of its own, as plain JavaScript whatever the bench itself runs under. */
export function start({ module, words }: Candidate, execArgv: readonly string[] = []): Promise<ServerProcess> {
  return ServerProcess.start(module, words, execArgv);
}
