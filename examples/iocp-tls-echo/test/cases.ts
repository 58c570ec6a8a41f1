// What is expected of the example, for any runner: vitest here, node:test where that does not run.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect, type SecureVersion } from 'node:tls';
import { epollBackend } from 'bufferevent-epoll';
import { iocpBackend } from 'bufferevent-iocp';
import { SslContext, unavailabilityReason } from 'bufferevent-openssl';
import { createTestPki } from 'certificates';
import { Server } from '../src/server.js';

export interface Runner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/**
 * Whether the example runs here. Where something is missing, one line says what; with REQUIRE_TOOLS=1, and under Wine, for which
 * everything has been prepared, it runs, and fails.
 */
export function isUsable(): boolean {
  const mechanism = process.platform === 'win32' ? iocpBackend : epollBackend;
  const reason = mechanism.unavailabilityReason() ?? unavailabilityReason();
  if (reason === null || process.env['REQUIRE_TOOLS'] === '1' || process.env['UNDER_WINE'] === '1') return true;
  console.warn(`skipped: iocp-tls-echo: ${reason}`);
  return false;
}

const clients = 50;
const pki = await createTestPki();

interface Running extends AsyncDisposable {
  readonly server: Server;
  /** How sessions have ended: `clean`, or with which failure. */
  readonly ends: string[];
}

async function start(threads: number): Promise<Running> {
  const context = new SslContext({ cert: pki.server.chainPem, key: pki.server.keyPem });
  const ends: string[] = [];
  const server = await Server.start({
    context,
    port: 0,
    threads,
    onEnd: (failure) => void ends.push(failure === null ? 'clean' : failure.message),
  });
  return {
    server,
    ends,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      context.free();
    },
  };
}

async function echoOf({ server }: Running, bytes: Uint8Array, version: SecureVersion): Promise<Buffer> {
  const { port } = server.address;
  const socket = connect({ port, host: '127.0.0.1', ca: pki.ca.certPem, minVersion: version, maxVersion: version });
  await once(socket, 'secureConnect');
  socket.end(bytes);
  return buffer(socket);
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 8_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `waited for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** @param threads that wait for completions */
export function echoCases({ describe, it }: Runner, threads: number): void {
  describe(`iocp-tls-echo with ${threads} threads`, () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      it(`gives a client 4 MiB back over ${version}, and both say their end`, async () => {
        await using running = await start(threads);
        const bytes = randomBytes(4 * 2 ** 20);
        assert.ok((await echoOf(running, bytes, version)).equals(bytes));
        await until(() => running.ends.length > 0, 'the end of the session');
        assert.deepEqual(running.ends, ['clean']);
        assert.equal(running.server.sessions, 0);
      });
    }

    it(`keeps the bytes of ${clients} clients apart`, async () => {
      await using running = await start(threads);
      const questions = Array.from({ length: clients }, (_, index) => Buffer.alloc(100_000, `client ${index} `));
      const answers = await Promise.all(questions.map((bytes) => echoOf(running, bytes, 'TLSv1.3')));
      for (const [index, answer] of answers.entries()) assert.ok(answer.equals(questions[index] as Buffer));
      await until(() => running.ends.length === clients, 'the ends of the sessions');
    });

    it('sends away who does not speak TLS, says so, and goes on', async () => {
      await using running = await start(threads);
      const stranger = connectPlain(running.server.address.port, '127.0.0.1');
      stranger.write('GET / HTTP/1.1\r\n\r\n');
      assert.equal((await buffer(stranger)).length, 0);
      await until(() => running.ends.length === 1, 'the end of the session');
      assert.match(running.ends[0] as string, /http request/);
      assert.equal((await echoOf(running, Buffer.from('hello'), 'TLSv1.3')).toString(), 'hello');
    });

    it('notices a client that goes without its end', async () => {
      await using running = await start(threads);
      const below = connectPlain(running.server.address.port, '127.0.0.1');
      await once(below, 'connect');
      const socket = connect({ socket: below, ca: pki.ca.certPem, servername: 'localhost' });
      await once(socket, 'secureConnect');
      socket.write('half');
      await once(socket, 'data');
      below.destroy();
      await until(() => running.ends.length === 1, 'the end of the session');
      assert.notEqual(running.ends[0], 'clean');
    });

    it('may be disposed of with sessions at work', async () => {
      const running = await start(threads);
      const { port } = running.server.address;
      const sockets = Array.from({ length: 10 }, () => connect({ port, host: '127.0.0.1', ca: pki.ca.certPem }));
      for (const socket of sockets) socket.on('error', () => {});
      await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')));
      for (const socket of sockets) socket.write(randomBytes(2 ** 20));
      await once(sockets[0] as NodeJS.EventEmitter, 'data');
      const closings = sockets.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve)));
      await running[Symbol.asyncDispose]();
      assert.equal(running.server.sessions, 0);
      await Promise.all(closings);
    });
  });
}
