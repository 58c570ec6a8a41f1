import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { epollBackend } from 'bufferevent-epoll';
import { describe, expect, it, onTestFinished } from 'vitest';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const clients = 64;

/** Where `lacking` is not null, tests are skipped with one line that says so; with REQUIRE_TOOLS=1 they run, and fail. */
function isUsable(lacking: string | null): boolean {
  if (lacking === null || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: tests that need ${lacking}`);
  return false;
}

const reason = epollBackend.unavailabilityReason();
const hasEpoll = isUsable(reason === null ? null : `epoll, which is not available: ${reason}`);
const hasNcat = isUsable(spawnSync('ncat', ['-h']).error === undefined ? null : 'ncat, which is not installed');

/** The example, listening; killed when the test is over. */
async function start(workers: number): Promise<{ program: ChildProcess; port: number; output: () => string }> {
  const program = spawn(process.execPath, [main, '0', `${workers}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void program.kill('SIGKILL'));
  let text = '';
  program.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  while (!text.includes('\n')) await once(program.stdout as NodeJS.ReadableStream, 'data');
  const [, port] = /^listening on 127\.0\.0\.1:(\d+) with \d+ workers\n$/.exec(text) ?? [];
  return { program, port: Number(port), output: () => text };
}

async function echoOf(port: number, bytes: Uint8Array): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(bytes);
  return buffer(socket);
}

describe.skipIf(!hasEpoll)('workers-echo', () => {
  it('shares the connections to one port between its workers, each answered whole', async () => {
    const { program, port, output } = await start(2);
    const questions = Array.from({ length: clients }, (_, index) => Buffer.alloc(100_000, `client ${index} `));
    const answers = await Promise.all(questions.map((bytes) => echoOf(port, bytes)));
    for (const [index, answer] of answers.entries()) expect(answer.equals(questions[index] as Buffer)).toBe(true);
    program.kill('SIGTERM');
    expect(await once(program, 'close')).toEqual([0, null]);
    const [, first, second] = /^served (\d+) \+ (\d+) connections$/m.exec(output())?.map(Number) ?? [];
    expect((first ?? 0) + (second ?? 0)).toBe(clients);
    // Each connection goes to either by its addresses: that one gets none of 64 does not happen.
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(0);
  });

  it('ends with connections open, and those are closed', async () => {
    const { program, port } = await start(3);
    const sockets = Array.from({ length: 12 }, () => connect({ port, host: '127.0.0.1' }));
    const ends = sockets.map(async (socket) => {
      socket.write('x');
      await once(socket, 'data');
      const closed = once(socket, 'close');
      socket.resume();
      return () => closed;
    });
    const closings = await Promise.all(ends);
    program.kill('SIGINT');
    expect(await once(program, 'close')).toEqual([0, null]);
    await Promise.all(closings.map((closed) => closed()));
  });

  it.skipIf(!hasNcat)('talks to ncat', async () => {
    const { port } = await start(2);
    const ncat = spawn('ncat', ['127.0.0.1', `${port}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    ncat.stdin.end('hello\n');
    expect(String(await buffer(ncat.stdout))).toBe('hello\n');
  });
});
