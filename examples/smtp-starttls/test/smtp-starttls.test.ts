import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { isAvailable, unavailabilityReason } from 'bufferevent-openssl';
import { createTestPki, type PkiFiles, type TestPki, writePki } from 'certificates';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** Where `lacking` is not null, tests are skipped with one line that says so; with REQUIRE_TOOLS=1 they run, and fail. */
function isUsable(lacking: string | null): boolean {
  if (lacking === null || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: tests that need ${lacking}`);
  return false;
}

function isInstalled(tool: string): boolean {
  const missing = spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined;
  return isUsable(missing ? `${tool}, which is not installed` : null);
}

const hasOpenssl = isUsable(isAvailable() ? null : `the addon, which is not available: ${unavailabilityReason()}`);

let folder: string;
let pki: TestPki;
let files: PkiFiles;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'smtp-'));
  pki = await createTestPki();
  files = writePki(pki, folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Waits until what a program or server has said has a match. */
class Listening {
  #heard = '';
  readonly #stream: NodeJS.ReadableStream;

  constructor(stream: NodeJS.ReadableStream) {
    this.#stream = stream.setEncoding('latin1').on('data', (chunk: string) => {
      this.#heard += chunk;
    });
  }

  get heard(): string {
    return this.#heard;
  }

  async matched(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#heard);
      if (match !== null) return match;
      await once(this.#stream, 'data');
    }
  }
}

/** The example, listening; killed when the test is over. */
async function start(): Promise<{ program: ChildProcess; port: number; output: Listening }> {
  const words = [main, files.server.chain, files.server.key];
  const program = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void program.kill('SIGKILL'));
  const output = new Listening(program.stdout as NodeJS.ReadableStream);
  const [, port] = await output.matched(/^listening on 127\.0\.0\.1:(\d+)$/m);
  return { program, port: Number(port), output };
}

/** A client in the open that has said EHLO, and what the server says to it. */
async function greet(port: number): Promise<{ socket: Socket; answers: Listening }> {
  const socket = connect({ port, host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  const answers = new Listening(socket);
  await answers.matched(/^220 /m);
  socket.write('EHLO client\r\n');
  await answers.matched(/^250 STARTTLS\r\n/m);
  return { socket, answers };
}

const mail = 'Subject: hello\r\n\r\n.. and a dot\r\nhello\r\n';

describe.skipIf(!hasOpenssl)('smtp-starttls', () => {
  it.skipIf(!isInstalled('curl'))('takes a mail from curl, which insists on TLS and verifies it', async () => {
    const { port, output } = await start();
    const words = ['--silent', '--show-error', '--ssl-reqd', '--cacert', files.ca, '--upload-file', '-'];
    const envelope = ['--mail-from', 'a@example.org', '--mail-rcpt', 'b@example.org', '--mail-rcpt', 'c@example.org'];
    const target = ['--resolve', `localhost:${port}:127.0.0.1`, `smtp://localhost:${port}`];
    const curl = spawn('curl', [...words, ...envelope, ...target], { stdio: ['pipe', 'inherit', 'inherit'] });
    curl.stdin.end(mail);
    expect(await once(curl, 'close')).toEqual([0, null]);
    await output.matched(
      new RegExp(`^mail from a@example.org to b@example.org, c@example.org: ${mail.length} char`, 'm'),
    );
  });

  it.skipIf(!isInstalled('openssl'))('is upgraded by openssl s_client -starttls smtp', async () => {
    const { port, output } = await start();
    const words = ['s_client', '-connect', `127.0.0.1:${port}`, '-starttls', 'smtp', '-quiet', '-no_ign_eof'];
    const trust = ['-CAfile', files.ca, '-verify_return_error', '-verify', '5', '-verify_hostname', 'localhost'];
    const client = spawn('openssl', [...words, ...trust, '-nocommands', '-crlf'], { stdio: 'pipe' });
    onTestFinished(() => void client.kill('SIGKILL'));
    const answers = new Listening(client.stdout);
    // It shows the last answer of before.
    for (const [line, answer] of [
      ['EHLO client', /^250 8BITMIME\r\n/m],
      ['MAIL FROM:<a@example.org>', /8BITMIME\r\n250 fine\r\n/],
      ['RCPT TO:<b@example.org>', /fine\r\n250 fine\r\n/],
      ['DATA', /^354 /m],
      ['hello\n.', /^250 delivered\r\n/m],
      ['QUIT', /^221 /m],
    ] as const) {
      client.stdin.write(`${line}\n`);
      await answers.matched(answer);
    }
    // The server closes cleanly, or this would be an error.
    expect(await once(client, 'close')).toEqual([0, null]);
    await output.matched(/^mail from a@example.org to b@example.org: 7 characters$/m);
  });

  it('gives up a client whose STARTTLS comes with bytes behind it, and obeys none of them', async () => {
    const { port, output } = await start();
    const { socket, answers } = await greet(port);
    const closed = once(socket, 'close');
    socket.write('STARTTLS\r\nMAIL FROM:<mallory@example.org>\r\n');
    await output.matched(/^gave a client up: ERR_BUFFEREVENT_SURPLUS_INPUT$/m);
    await closed;
    expect(answers.heard).not.toContain('250 fine');
    // And it goes on for others.
    await greet(port);
  });

  it('takes nothing for the client’s own that comes between STARTTLS and TLS', async () => {
    const { port, output } = await start();
    const { socket, answers } = await greet(port);
    socket.write('STARTTLS\r\n');
    await answers.matched(/^220 go ahead\r\n/m);
    socket.write('MAIL FROM:<mallory@example.org>\r\n');
    await output.matched(/^gave a client up: ERR_OPENSSL_HANDSHAKE$/m);
  });

  it('forgets what was said in the open', async () => {
    const { port } = await start();
    const { socket, answers } = await greet(port);
    socket.write('MAIL FROM:<a@example.org>\r\n');
    await answers.matched(/^530 /m);
    socket.write('STARTTLS\r\n');
    await answers.matched(/^220 go ahead\r\n/m);
    const tls = connectTls({ socket, servername: 'localhost', ca: pki.ca.certPem });
    await once(tls, 'secureConnect');
    const secret = new Listening(tls);
    tls.write('RCPT TO:<b@example.org>\r\n');
    await secret.matched(/^503 say MAIL first\r\n/m);
    tls.write('STARTTLS\r\n');
    await secret.matched(/^503 it is TLS already\r\n/m);
  });

  it('takes a hundred recipients, and no more', async () => {
    const { port, output } = await start();
    const { socket, answers } = await greet(port);
    socket.write('STARTTLS\r\n');
    await answers.matched(/^220 go ahead\r\n/m);
    const tls = connectTls({ socket, servername: 'localhost', ca: pki.ca.certPem });
    const secret = new Listening(tls);
    const recipients = Array.from({ length: 101 }, (_, index) => `RCPT TO:<${index}@example.org>\r\n`);
    tls.write(`MAIL FROM:<a@example.org>\r\n${recipients.join('')}DATA\r\n.\r\n`);
    await secret.matched(/^(250 fine\r\n){101}452 too many recipients\r\n354 .*\r\n250 delivered\r\n/m);
    await output.matched(/, 99@example.org: 0 characters$/m);
  });

  it('ends with SIGTERM', async () => {
    const { program, port } = await start();
    await greet(port);
    program.kill('SIGTERM');
    expect(await once(program, 'close')).toEqual([0, null]);
  });
});
