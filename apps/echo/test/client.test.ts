import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { type LoadTarget, runPingPong } from '../dist/load/index.js';
import { onEveryBackend } from './support/backends.js';
import { EchoProcess } from './support/echo-process.js';
import { flood, untilStuck } from './support/flood.js';
import { within } from './support/within.js';

async function plainServer(onConnection: (socket: Socket) => void): Promise<LoadTarget> {
  const server: Server = createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
}

onEveryBackend('client', (startServer, backend) => {
  const startClient = ({ host, port }: LoadTarget): EchoProcess =>
    new EchoProcess('client', '--backend', backend, '--host', host, '--port', `${port}`);

  it('writes the answer to everything it read, half-closes at the end of input and exits with 0', async () => {
    const { target } = await startServer();
    const client = startClient(target);
    const bytes = randomBytes(16 * 2 ** 20);
    const answer = buffer(client.stdout);
    client.stdin.end(bytes);
    expect((await within(8_000, 'answer', answer)).equals(bytes)).toBe(true);
    expect(await client.ends()).toBe(0);
    expect(client.errors).toBe('');
  });

  it('shows an answer before the input has ended', async () => {
    const { target } = await startServer();
    const client = startClient(target);
    client.stdin.write('question\n');
    await client.prints(/^question\n/);
    client.stdin.end();
    expect(await client.ends()).toBe(0);
  });

  it('reads no more input than it can send: a server that never reads stops it', async () => {
    const target = await plainServer((socket) => {
      socket.pause();
      onTestFinished(() => void socket.destroy());
    });
    const client = startClient(target);
    const input = flood(client.stdin, 256 * 2 ** 20);
    const { target: other } = await startServer('--quiet');
    await untilStuck([input], async () => {
      await runPingPong({ target: other, connections: 8, messages: 4000, messageBytes: 64 });
    });
    expect(input.taken).toBeGreaterThan(64 * 1024);
    expect(input.taken).toBeLessThan(32 * 2 ** 20); // What the client, the pipe and the system's buffers hold.
  });

  it('says in one line that nobody listens, and exits with 1', async () => {
    const unused = createServer().listen(0, '127.0.0.1');
    await once(unused, 'listening');
    const { port } = unused.address() as { port: number };
    unused.close();
    await once(unused, 'close');
    const client = startClient({ host: '127.0.0.1', port });
    expect(await client.ends()).toBe(1);
    expect(client.errors).toMatch(/^echo: cannot connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED.*\n$/);
  });

  it('says in one line that the connection was reset, and exits with 1 although input is still open', async () => {
    const target = await plainServer((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
      socket.on('error', () => {});
    });
    const client = startClient(target);
    client.stdin.write('x');
    expect(await client.ends()).toBe(1);
    expect(client.errors).toMatch(/^echo: 127\.0\.0\.1:\d+: .*ECONNRESET.*\n$/);
  });

  it('says in one line that the server ended too early, and exits with 1', async () => {
    const target = await plainServer((socket) => {
      socket.once('data', () => socket.end());
    });
    const client = startClient(target);
    client.stdin.write('x');
    expect(await client.ends()).toBe(1);
    expect(client.errors).toMatch(/^echo: 127\.0\.0\.1:\d+: the server ended .*\n$/);
  });

  it('stops in one line when nobody reads its standard output any more', async () => {
    const { target } = await startServer();
    const client = startClient(target);
    client.stdin.write('x');
    await once(client.stdout, 'data');
    client.stdout.destroy();
    client.stdin.write(Buffer.alloc(2 ** 20));
    expect(await client.ends()).toBe(1);
    expect(client.errors).toMatch(/^echo: cannot write to standard output: .*(EPIPE|ECONNRESET)\n$/);
  });
});
