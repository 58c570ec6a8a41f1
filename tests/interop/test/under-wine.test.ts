// Programs with Node for Windows, under Wine, and programs of Linux at the other end.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runBulk } from 'echo/load';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoIsReady, neededPrograms, WindowsEcho } from 'wine';
import { type Credentials, createCredentials } from '../src/credentials.js';
import { echoProgram } from '../src/echo-program.js';
import { Meter, payload } from '../src/payload.js';
import { PipedProgram } from '../src/piped-exchange.js';
import { Program } from '../src/program.js';
import { isAddonUsable, isUsable } from '../src/usable.js';
import { exchange } from '../src/windows-exchange.js';

const MiB = 2 ** 20;
const bytes = 16 * MiB;
const manyConnections = 1000;
/** Wine starts slowly, and most of all in a prefix that has to be made. */
const patienceMs = 180_000;

const canRun = isUsable('programs for Windows', neededPrograms) && isAddonUsable();
const windowsBackends = ['net', 'iocp'] as const;
const linuxBackends = ['net', 'epoll'] as const;
const versions = { 'TLS 1.2': '-tls1_2', 'TLS 1.3': '-tls1_3' };

describe.runIf(canRun)('Windows and Linux', () => {
  let windows: WindowsEcho;
  let credentials: Credentials;

  beforeAll(async () => {
    credentials = await createCredentials();
    windows = await WindowsEcho.open();
  }, patienceMs);

  afterAll(() => {
    windows?.[Symbol.dispose]();
    credentials?.[Symbol.dispose]();
  });

  const serverTls = (): string[] => [
    ...['--tls', '--cert', credentials.server.certificate, '--key', credentials.server.key],
  ];
  const clientTls = (): string[] => ['--tls', '--ca', credentials.ca, '--servername', 'localhost'];

  /** Everything back, and the end of the program when its input ends. */
  async function expectEcho(command: string, words: readonly string[]): Promise<void> {
    using program = new PipedProgram(command, words);
    const { sent, received } = await program.exchange(bytes);
    expect(received).toEqual(sent);
    program.endInput();
    await program.succeeded();
  }

  describe.each(windowsBackends)('a server of Windows over %s', (backend) => {
    let plain: number;
    let secure: number;

    beforeAll(async () => {
      const silence = ['--read-timeout', '8000'];
      plain = await windows.serve('--backend', backend);
      secure = await windows.serve('--backend', backend, ...silence, ...serverTls());
    }, patienceMs);

    it.runIf(isUsable('ncat', ['ncat']))('gives ncat its bytes back', { timeout: patienceMs }, () =>
      expectEcho('ncat', ['127.0.0.1', `${plain}`]),
    );

    it.runIf(isUsable('openssl', ['openssl'])).each(Object.entries(versions))(
      'gives openssl s_client its bytes back over %s',
      { timeout: patienceMs },
      (_, version) => {
        const trust = ['-CAfile', credentials.ca, '-verify_return_error', '-verify_hostname', 'localhost'];
        return expectEcho('openssl', [
          's_client',
          '-quiet',
          '-nocommands',
          '-no_ign_eof',
          '-connect',
          `127.0.0.1:${secure}`,
          ...trust,
          version,
        ]);
      },
    );

    it.runIf(isUsable('curl', ['curl']))('gives curl its request back', { timeout: patienceMs }, async () => {
      const [request, answer] = ['request', 'answer'].map((name) =>
        join(credentials.folder, `curl-${backend}-${name}`),
      );
      const sent = new Meter();
      const pieces = [...payload(bytes)];
      for (const piece of pieces) sent.add(piece);
      writeFileSync(request as string, Buffer.concat(pieces));
      using program = new Program('curl', [
        ...['--silent', '--show-error', '--http0.9', '--cacert', credentials.ca, '--header', 'Expect:'],
        ...['--resolve', `localhost:${secure}:127.0.0.1`, '--data-binary', `@${request}`, '--output', answer as string],
        `https://localhost:${secure}/`,
      ]);
      await program.succeeded();
      const received = new Meter();
      // Behind the head of the request, which comes back too.
      received.add(readFileSync(answer as string).subarray(-bytes));
      expect(received.digest()).toEqual(sent.digest());
    });

    it.each(linuxBackends)('gives our own client over %s its bytes back', { timeout: patienceMs }, async (client) => {
      const words = [echoProgram, 'client', '--backend', client];
      await expectEcho(process.execPath, [...words, '--port', `${plain}`]);
      await expectEcho(process.execPath, [...words, '--port', `${secure}`, ...clientTls()]);
    });

    it('serves a thousand connections at once', { timeout: patienceMs }, async () => {
      const target = { host: '127.0.0.1', port: plain };
      const { faults, bytes: moved } = await runBulk({ target, connections: manyConnections, bytes, verify: true });
      expect(faults).toEqual([]);
      expect(moved).toBe(bytes);
    });
  });

  describe.each(windowsBackends)('a client of Windows over %s', (backend) => {
    it.each(linuxBackends)('has its bytes back from a server over %s', { timeout: patienceMs }, async (server) => {
      for (const [serverWords, clientWords] of [
        [[], []],
        [serverTls(), clientTls()],
      ] as const) {
        using program = new Program(process.execPath, [
          ...[echoProgram, 'serve', '--port', '0', '--quiet', '--backend', server],
          ...serverWords,
        ]);
        const [, port] = await program.matched(echoIsReady);
        const words = ['--backend', backend, '--port', `${port}`, ...clientWords];
        const { sent, received } = await exchange(windows, bytes, ...words);
        expect(received).toEqual(sent);
      }
    });
  });
});
