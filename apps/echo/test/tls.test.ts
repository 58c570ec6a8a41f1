import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createServer, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LoadTarget } from '../dist/load/index.js';
import { onEveryBackend } from './support/backends.js';
import { EchoProcess, startServer } from './support/echo-process.js';
import { openPeer, readBytes, readToEnd } from './support/peer.js';
import { canTls, files, filesFolder, openssl, openTlsPeer, openTlsPeerOver, pki } from './support/tls.js';
import { isUsable } from './support/tools.js';
import { within } from './support/within.js';

const withCertificate = ['--tls', '--cert', files.server.chain, '--key', files.server.key];
const fingerprintPattern = /TLS, self-signed certificate, SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})\)$/m;

if (canTls) {
  onEveryBackend('serve --tls', (startServer) => {
    it('makes a certificate for itself and prints its fingerprint in the line that says it is ready', async () => {
      const { server, target } = await startServer('--tls', '--quiet');
      const [, fingerprint] = await server.prints(fingerprintPattern);
      expect(server.output.split('\n')).toHaveLength(2);
      const peer = await openTlsPeer(target, { rejectUnauthorized: false });
      const certificate = peer.getPeerX509Certificate(); // Node 20 gives it once.
      expect(certificate?.fingerprint256).toBe(fingerprint);
      expect(certificate?.checkIP('127.0.0.1')).toBe('127.0.0.1');
      peer.end('hello\n');
      expect((await readToEnd(peer)).toString()).toBe('hello\n');
    });

    it.each(['TLSv1.2', 'TLSv1.3'] as const)(
      'shows node:tls the certificate of the files over %s, echoes and ends cleanly',
      async (version) => {
        const { server, target } = await startServer(...withCertificate);
        expect(server.output).toMatch(/ \(backend \w+, TLS\)$/m);
        const peer = await openTlsPeer(target, { minVersion: version, maxVersion: version });
        expect([peer.authorized, peer.getProtocol()]).toEqual([true, version]);
        const bytes = randomBytes(3 * 2 ** 20 + 1);
        peer.end(bytes);
        expect((await readToEnd(peer)).equals(bytes)).toBe(true);
        await server.prints(/^127\.0\.0\.1:\d+: clean$/m);
      },
    );

    it.skipIf(!isUsable('openssl')).each(['-tls1_2', '-tls1_3'])(
      'gives openssl s_client %s its bytes back and its close_notify',
      async (version) => {
        const { server, target } = await startServer(...withCertificate);
        const { stdin, stdout, ended } = openssl(target, version);
        const bytes = randomBytes(2 ** 20);
        stdin.write(bytes);
        const answer = await readBytes(stdout as Socket, bytes.length);
        expect(answer.equals(bytes)).toBe(true);
        stdin.end();
        expect(await within(8_000, 'end of openssl', ended)).toBe(0);
        await server.prints(/^127\.0\.0\.1:\d+: clean$/m);
      },
    );

    it('serves only clients with a certificate of the authority when it requests them, and says whom it refused', async () => {
      const { server, target } = await startServer(...withCertificate, '--request-cert', '--ca', files.ca);
      for (const identity of [{}, { key: pki.untrustedClient.keyPem, cert: pki.untrustedClient.chainPem }]) {
        const refused = await openTlsPeer(target, identity); // With TLS 1.3 a client hears of it afterwards.
        await within(8_000, 'refusal', new Promise((resolve) => refused.once('close', resolve)));
      }
      await server.prints(/^127\.0\.0\.1:\d+: no connection, .*peer did not return a certificate/m);
      await server.prints(/^127\.0\.0\.1:\d+: no connection, the certificate of the peer was not accepted/m);
      const peer = await openTlsPeer(target, { key: pki.client.keyPem, cert: pki.client.chainPem });
      peer.end('known');
      expect((await readToEnd(peer)).toString()).toBe('known');
    });

    it('closes what does not speak TLS, says so, and goes on', async () => {
      const { server, target } = await startServer(...withCertificate);
      const plain = await openPeer(target);
      plain.write('GET / HTTP/1.1\r\n\r\n');
      await readToEnd(plain);
      await server.prints(/^127\.0\.0\.1:\d+: no connection, .*http request/m);
      const peer = await openTlsPeer(target);
      peer.end('x');
      expect((await readToEnd(peer)).toString()).toBe('x');
    });

    it('tells a connection that was cut from one that has ended', async () => {
      const { server, target } = await startServer(...withCertificate);
      const { peer, below } = await openTlsPeerOver(target);
      peer.write('half');
      expect((await readBytes(peer, 4)).toString()).toBe('half');
      below.end();
      await server.prints(/^127\.0\.0\.1:\d+: error, the connection has ended without close_notify$/m);
    });

    it('stops without waiting for a client that stalls in its handshake', async () => {
      const { server, target } = await startServer(...withCertificate);
      const stalled = await openPeer(target);
      const peer = await openTlsPeer(target); // The one before it is accepted, too.
      peer.end('x');
      await readToEnd(peer);
      server.signal('SIGTERM');
      expect(await server.ends()).toBe(0);
      expect((await readToEnd(stalled)).length).toBe(0);
    });

    it('answers what is under way after SIGTERM, ends with close_notify, and exits with 0', async () => {
      const { server, target } = await startServer(...withCertificate);
      const peer = await openTlsPeer(target);
      const bytes = randomBytes(4 * 2 ** 20);
      peer.write(bytes);
      await within(8_000, 'first answer', once(peer, 'readable'));
      server.signal('SIGTERM');
      await server.prints(/^draining 1 connections$/m);
      const answer = await readToEnd(peer);
      expect(answer.equals(bytes)).toBe(true);
      await server.prints(/^127\.0\.0\.1:\d+: clean$/m);
      expect(await server.ends()).toBe(0);
    });
  });

  onEveryBackend('client --tls', (startServer, backend) => {
    const startClient = ({ host, port }: LoadTarget, ...words: string[]): EchoProcess =>
      new EchoProcess('client', '--backend', backend, '--host', host, '--port', `${port}`, '--tls', ...words);

    async function echoes(client: EchoProcess): Promise<void> {
      const bytes = randomBytes(2 ** 20);
      const answer = buffer(client.stdout);
      client.stdin.end(bytes);
      expect((await within(8_000, 'answer', answer)).equals(bytes)).toBe(true);
      expect(await client.ends()).toBe(0);
      expect(client.errors).toBe('');
    }

    it('trusts a server by its authority, by its fingerprint, or blindly', async () => {
      const known = await startServer(...withCertificate);
      await echoes(startClient(known.target, '--ca', files.ca));
      const own = await startServer('--tls');
      const [, fingerprint] = await own.server.prints(fingerprintPattern);
      await echoes(startClient(own.target, '--fingerprint', fingerprint!.toLowerCase()));
      await echoes(startClient(own.target, '--fingerprint', fingerprint!.replaceAll(':', '')));
      await echoes(startClient(own.target, '--insecure'));
    });

    it('reaches a server by a path, and verifies the name that it is told', async () => {
      const path = join(filesFolder, `echo-${backend}`);
      const server = new EchoProcess('serve', '--backend', backend, '--path', path, ...withCertificate);
      await server.prints(/^listening on .*, TLS\)$/m);
      const words = ['client', '--backend', backend, '--path', path, '--tls', '--ca', files.ca];
      await echoes(new EchoProcess(...words, '--servername', 'localhost'));
      const other = new EchoProcess(...words, '--servername', 'other.example');
      expect(await other.ends()).toBe(1);
      expect(other.errors).toContain('hostname mismatch');
    });

    it('shows its certificate to a server that asks', async () => {
      const { target } = await startServer(...withCertificate, '--request-cert', '--ca', files.ca);
      const identity = ['--cert', files.client.chain, '--key', files.client.key];
      await echoes(startClient(target, '--ca', files.ca, ...identity));
    });

    it('says in one line why it does not trust a server, and exits with 1', async () => {
      const own = await startServer('--tls');
      const known = await startServer(...withCertificate);
      const [, fingerprint] = await own.server.prints(fingerprintPattern);
      const another = Array(32).fill('00').join(':');
      for (const [client, why] of [
        [startClient(own.target), 'self-signed certificate'],
        [startClient(own.target, '--fingerprint', another), `its fingerprint is ${fingerprint}, not ${another}`],
        [startClient(known.target, '--ca', files.otherCa), 'unable to get'],
        [startClient(known.target, '--ca', files.ca, '--servername', 'other.example'), 'hostname mismatch'],
      ] as const) {
        expect(await client.ends()).toBe(1);
        expect(client.errors).toMatch(/^echo: cannot connect to 127\.0\.0\.1:\d+: the certificate .*\n$/);
        expect(client.errors).toContain(why);
      }
    });

    async function nodeServer(onConnection: (socket: TLSSocket, below: Socket) => void): Promise<LoadTarget> {
      const server = createServer({ key: pki.server.keyPem, cert: pki.server.chainPem, allowHalfOpen: true });
      const below: Socket[] = [];
      server.on('connection', (socket) => below.push(socket));
      server.on('secureConnection', (socket) => {
        socket.on('error', () => {});
        onConnection(socket, below[0]!);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      onTestFinished(() => void server.close());
      return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
    }

    it('gets its bytes back from a server of node:tls', async () => {
      const target = await nodeServer((socket) => void socket.pipe(socket));
      await echoes(startClient(target, '--ca', files.ca));
    });

    it('says in one line that the answer was cut, and exits with 1', async () => {
      const target = await nodeServer((socket, below) => {
        socket.once('data', () => below.end());
      });
      const client = startClient(target, '--ca', files.ca);
      client.stdin.end('x');
      expect(await client.ends()).toBe(1);
      expect(client.errors).toMatch(/^echo: 127\.0\.0\.1:\d+: the connection has ended without close_notify\n$/);
    });
  });
}

describe('TLS that is not there', () => {
  const withoutPackage = fileURLToPath(new URL('./support/without-openssl.mjs', import.meta.url));

  function pretend(name: string, value: string): void {
    vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
  }

  it('is one line about the package that is not installed, and exits with 1', async () => {
    pretend('NODE_OPTIONS', `--import=${withoutPackage}`);
    for (const words of [
      ['serve', '--port', '0'],
      ['client', '--insecure'],
    ]) {
      const program = new EchoProcess(...words, '--tls');
      expect(await program.ends()).toBe(1);
      expect(program.output).toBe('');
      expect(program.errors).toBe('echo: --tls needs the package bufferevent-openssl, which could not be loaded\n');
    }
  });

  it('is one line with the reason when the package can not work here', async () => {
    pretend('BUFFEREVENT_OPENSSL_ADDON', '/nowhere.node');
    const server = new EchoProcess('serve', '--port', '0', '--tls');
    expect(await server.ends()).toBe(1);
    expect(server.errors).toMatch(/^echo: --tls is not available: .*\/nowhere\.node.*\n$/);
  });

  it('is missed by nobody who does not ask for it', async () => {
    pretend('NODE_OPTIONS', `--import=${withoutPackage}`);
    const { target } = await startServer();
    const client = new EchoProcess('client', '--host', target.host, '--port', `${target.port}`);
    client.stdin.end('plain');
    await client.prints(/^plain/);
    expect(await client.ends()).toBe(0);
  });
});

describe('options of TLS', () => {
  it.each([
    [['serve', '--cert', 'x'], '--cert needs --tls'],
    [['serve', '--request-cert'], '--request-cert needs --tls'],
    [['serve', '--tls', '--cert', 'x'], '--cert and --key go together'],
    [['serve', '--tls', '--request-cert'], '--request-cert and --ca go together'],
    [['serve', '--tls', '--ca', 'x'], '--request-cert and --ca go together'],
    [['client', '--insecure'], '--insecure needs --tls'],
    [['client', '--servername', 'x'], '--servername needs --tls'],
    [['client', '--tls', '--key', 'x'], '--cert and --key go together'],
    [['client', '--tls', '--ca', 'x', '--insecure'], '--ca and --insecure exclude each other'],
    [['client', '--tls', '--path', '/x'], /^--tls with --path needs --servername/],
  ] as const)('%j: one line says what is missing, and it exits with 1', async (words, message) => {
    const program = new EchoProcess(...words);
    expect(await program.ends()).toBe(1);
    expect(program.errors.replace(/^echo: /, '').trimEnd()).toMatch(message);
  });

  it.runIf(canTls)('a file that is not there is one line with its name', async () => {
    const program = new EchoProcess('serve', '--port', '0', '--tls', '--cert', '/nowhere.pem', '--key', '/nowhere.pem');
    expect(await program.ends()).toBe(1);
    expect(program.errors).toMatch(/^echo: ENOENT.*\/nowhere\.pem'\n$/);
  });
});
