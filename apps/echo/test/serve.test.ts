import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fastest, onEveryBackend } from './support/backends.js';
import { EchoProcess, startServer } from './support/echo-process.js';
import { openPeer, readBytes, readToEnd } from './support/peer.js';
import { within } from './support/within.js';

onEveryBackend('serve', (startServer, backend) => {
  it('prints one line when it is ready, with the port the system chose', async () => {
    const { server, target } = await startServer('--quiet');
    expect(server.output).toBe(`listening on 127.0.0.1:${target.port} (backend ${backend})\n`);
    expect(target.port).toBeGreaterThan(0);
  });

  it('answers with the bytes it got, and ends when the peer has ended', async () => {
    const { target } = await startServer();
    const peer = await openPeer(target);
    peer.end('hello\n');
    expect((await readToEnd(peer)).toString()).toBe('hello\n');
  });

  it('prints nothing but the ready line when it is quiet, and a line for every connection when not', async () => {
    const [quiet, talkative] = [await startServer('--quiet'), await startServer()];
    for (const { server, target } of [quiet, talkative]) {
      const peer = await openPeer(target);
      peer.end('x');
      await readToEnd(peer);
      if (server === talkative.server) await server.prints(/^127\.0\.0\.1:\d+: clean$/m);
      server.signal('SIGTERM');
      expect(await server.ends()).toBe(0);
    }
    expect(quiet.server.output.split('\n')).toHaveLength(2);
    expect(talkative.server.output).toMatch(/^draining 0 connections$/m);
  });

  it('listens on IPv6 addresses and on names', async () => {
    for (const host of ['::1', 'localhost']) {
      const { target } = await startServer('--host', host);
      const peer = await openPeer(target);
      peer.end(host);
      expect((await readToEnd(peer)).toString()).toBe(host);
    }
  });

  it('listens on a Unix-domain socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'echo-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'socket');
    const server = new EchoProcess('serve', '--backend', backend, '--path', path);
    const [, name] = await server.prints(/^listening on .+\/socket \(backend (\w+)\)\n/);
    expect(name).toBe(backend);
    const peer = connect({ path, allowHalfOpen: true });
    peer.end('by path');
    expect((await readToEnd(peer)).toString()).toBe('by path');
  });

  it('ends connections that are silent for longer than the read time-out, and only those', async () => {
    const { target } = await startServer('--read-timeout', '300');
    const [silent, busy] = [await openPeer(target), await openPeer(target)];
    let silentEnded = false;
    const end = readToEnd(silent).then(() => {
      silentEnded = true;
    });
    while (!silentEnded) {
      busy.write('still here');
      await readBytes(busy, 10);
    }
    await end;
    busy.end('done');
    expect((await readToEnd(busy)).toString()).toBe('done');
  });

  it('ends connections whose peer reads nothing for longer than the read time-out', async () => {
    const { target } = await startServer('--read-timeout', '300', '--max-connections', '1');
    const deaf = await openPeer(target);
    deaf.on('error', () => {});
    const gone = new Promise((resolve) => deaf.once('close', resolve));
    deaf.pause();
    const feed = (): void => {
      while (!deaf.destroyed && deaf.write(Buffer.alloc(64 * 1024))) {}
    };
    deaf.on('drain', feed);
    feed();
    await gone;
    // There is one place, and it is free again.
    const next = await openPeer(target);
    next.end('me too');
    expect((await readToEnd(next)).toString()).toBe('me too');
  });

  it('serves no more connections at once than it was told to', async () => {
    const { target } = await startServer('--max-connections', '2');
    const served = [await openPeer(target), await openPeer(target)];
    for (const peer of served) {
      peer.write('in');
      await readBytes(peer, 2);
    }
    const third = await openPeer(target);
    third.on('data', () => {});
    third.end('me too');
    // The third is refused or waits; either way it gets no answer before one of the two has gone.
    let answered = false;
    third.once('data', () => {
      answered = true;
    });
    for (let ping = 0; ping < 50; ping++) {
      served[0]!.write('in');
      await readBytes(served[0]!, 2);
    }
    expect(answered).toBe(false);
    for (const peer of served) {
      peer.end();
      await readToEnd(peer);
    }
    const next = await openPeer(target);
    next.end('now me');
    expect((await readToEnd(next)).toString()).toBe('now me');
  });
});

describe('the backend', () => {
  it('is the fastest that is available, unless it is named', async () => {
    expect((await startServer()).server.output).toContain(`(backend ${fastest})`);
    expect((await startServer('--backend', 'net')).server.output).toContain('(backend net)');
  });
});

onEveryBackend('stopping', (startServer) => {
  it('refuses new connections, answers the bytes under way and exits with 0', async () => {
    const { server, target } = await startServer();
    const peer = await openPeer(target);
    const bytes = randomBytes(4 * 2 ** 20);
    peer.write(bytes);
    await within(8_000, 'first answer', once(peer, 'readable')); // More than the server may hold is still to come.
    server.signal('SIGTERM');
    await server.prints(/^draining 1 connections$/m);
    const late = connect(target);
    const [refusal] = (await within(8_000, 'refusal', once(late, 'error'))) as [NodeJS.ErrnoException];
    expect(refusal.code).toMatch(/ECONNREFUSED|ECONNRESET/);
    const answer = await readToEnd(peer);
    peer.end();
    expect(answer.equals(bytes)).toBe(true);
    expect(await server.ends()).toBe(0);
  });

  it('ends idle connections and exits with 0 on SIGINT', async () => {
    const { server, target } = await startServer();
    const peer = await openPeer(target);
    peer.write('x');
    await readBytes(peer, 1);
    server.signal('SIGINT');
    expect((await readToEnd(peer)).length).toBe(0);
    peer.end();
    expect(await server.ends()).toBe(0);
  });

  it('ends at once at the second signal', async () => {
    const { server, target } = await startServer();
    const peer = await openPeer(target);
    peer.write(Buffer.alloc(32 * 2 ** 20));
    await within(8_000, 'first answer', once(peer, 'readable')); // It reads no more, so that draining would take long.
    server.signal('SIGTERM');
    await server.prints(/^draining 1 connections$/m);
    server.signal('SIGTERM');
    expect(await server.ends(3_000)).toBe(143);
  });

  it('goes on serving when nobody reads its standard output', async () => {
    const { server, target } = await startServer();
    server.stdout.destroy();
    for (let connection = 0; connection < 5; connection++) {
      const peer = await openPeer(target);
      peer.end('x');
      expect((await readToEnd(peer)).length).toBe(1);
    }
    server.signal('SIGTERM');
    const code = await server.ends();
    expect(server.errors).toBe('');
    expect(code).toBe(0);
  });
});

describe('serve cannot start', () => {
  it('says in one line that the port is in use, and exits with 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const server = new EchoProcess('serve', '--port', `${port}`);
    expect(await server.ends()).toBe(1);
    expect(server.output).toBe('');
    expect(server.errors).toMatch(new RegExp(`^echo: cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*\\n$`));
  });

  it.each([
    ['an address of somebody else', '203.0.113.1', /^echo: cannot listen on 203\.0\.113\.1:0: .*EADDRNOTAVAIL.*\n$/],
    ['a name that does not exist', 'no-such-host.invalid', /^echo: cannot listen on no-such-host\.invalid:0: .+\n$/],
  ])('says in one line that it cannot listen on %s, and exits with 1', async (_what, host, line) => {
    const server = new EchoProcess('serve', '--host', host, '--port', '0');
    expect(await server.ends()).toBe(1);
    expect(server.output).toBe('');
    expect(server.errors).toMatch(line);
  });

  it.each([
    ['a port out of range', ['serve', '--port', '65536'], /--port.*whole number/],
    ['a port that is no number', ['serve', '--port', '80x'], /--port.*whole number/],
    ['a backend nobody knows', ['serve', '--backend', 'carrier-pigeon'], /--backend.*net/],
    [
      'a fingerprint that is none',
      ['client', '--tls', '--fingerprint', 'AB:CD'],
      /--fingerprint.*64 hexadecimal digits/,
    ],
    ['a path beside a host', ['serve', '--path', '/x', '--host', '::1'], /--path.*--host/],
    ['a path beside a port', ['client', '--path', '/x', '--port', '7007'], /--path.*--port/],
    ['an option nobody knows', ['serve', '--loud'], /unknown option '--loud'/],
    ['a command nobody knows', ['sing'], /unknown command 'sing'/],
  ])('explains %s, and exits with an error', async (_what, words, message) => {
    const program = new EchoProcess(...words);
    expect(await program.ends()).toBe(1);
    expect(program.output).toBe('');
    expect(program.errors).toMatch(message);
  });
});
