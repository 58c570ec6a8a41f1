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
/** Where our own programs run, and over what. */
const ours = [
  ['Windows', 'net'],
  ['Windows', 'iocp'],
  ['Linux', 'net'],
  ['Linux', 'epoll'],
] as const;
type System = (typeof ours)[number][0];

interface Ports {
  readonly plain: number;
  readonly secure: number;
}

const versions = { 'TLS 1.2': '-tls1_2', 'TLS 1.3': '-tls1_3' };

describe.runIf(canRun)('Windows and Linux', () => {
  let windows: WindowsEcho;
  let credentials: Credentials;
  /** By system and backend. */
  const servers = new Map<string, Ports>();
  const linuxServers: Program[] = [];

  beforeAll(async () => {
    credentials = await createCredentials();
    windows = await WindowsEcho.open();
    for (const [system, backend] of ours) {
      const plain = await serve(system, '--backend', backend);
      const secure = await serve(system, '--backend', backend, '--read-timeout', '8000', ...serverTls());
      servers.set(`${system} ${backend}`, { plain, secure });
    }
  }, patienceMs);

  afterAll(() => {
    for (const server of linuxServers) server.kill();
    windows?.[Symbol.dispose]();
    credentials?.[Symbol.dispose]();
  });

  const portsOf = (system: System, backend: string): Ports => servers.get(`${system} ${backend}`) as Ports;

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

  /** Starts our server, which runs to the end of all. Resolves with its port. */
  async function serve(system: System, ...words: string[]): Promise<number> {
    if (system === 'Windows') return windows.serve(...words);
    const server = new Program(process.execPath, [echoProgram, 'serve', '--port', '0', '--quiet', ...words]);
    linuxServers.push(server);
    const [, port] = await server.matched(echoIsReady);
    return Number(port);
  }

  async function expectOwnEcho(system: System, ...words: string[]): Promise<void> {
    if (system === 'Linux') return expectEcho(process.execPath, [echoProgram, 'client', ...words]);
    const { sent, received } = await exchange(windows, bytes, ...words);
    expect(received).toEqual(sent);
  }

  describe.each(['net', 'iocp'])('a server of Windows over %s', (backend) => {
    it.runIf(isUsable('ncat', ['ncat']))('gives ncat its bytes back', { timeout: patienceMs }, () =>
      expectEcho('ncat', ['127.0.0.1', `${portsOf('Windows', backend).plain}`]),
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
          `127.0.0.1:${portsOf('Windows', backend).secure}`,
          ...trust,
          version,
        ]);
      },
    );

    it.runIf(isUsable('curl', ['curl']))('gives curl its request back', { timeout: patienceMs }, async () => {
      const { secure } = portsOf('Windows', backend);
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

    it('serves a thousand connections at once', { timeout: patienceMs }, async () => {
      const target = { host: '127.0.0.1', port: portsOf('Windows', backend).plain };
      const { faults, bytes: moved } = await runBulk({ target, connections: manyConnections, bytes, verify: true });
      expect(faults).toEqual([]);
      expect(moved).toBe(bytes);
    });
  });

  describe.each(ours)('our server on %s over %s', (...server) => {
    it.each(ours)('gives our client on %s over %s its bytes back', { timeout: patienceMs }, async (system, backend) => {
      const { plain, secure } = portsOf(...server);
      await expectOwnEcho(system, '--backend', backend, '--port', `${plain}`);
      await expectOwnEcho(system, '--backend', backend, '--port', `${secure}`, ...clientTls());
    });
  });
});
