import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { createTestPki, type TestPki, writePki } from 'certificates';
import { expect, it, onTestFinished } from 'vitest';
import { isAddonUsable } from '../src/usable.js';

const connections = 10_000;
/** The clients are killed in most runs: it takes a while to begin so many handshakes, and longer to wait for their end. */
const waitsForTimeout = process.env['NIGHTLY'] === '1';
/** Longer than it takes to begin all of them on a machine that is busy. */
const handshakeMs = 90_000;
/** Of one handshake in the middle, at most, in bytes: state of OpenSSL, of the connection, and of its socket. */
const handshakeBytes = 96 * 1024;

function start(program: string, words: readonly (string | number)[]): ChildProcess {
  const path = fileURLToPath(new URL(`../programs/${program}`, import.meta.url));
  const child = fork(path, words.map(String), { execArgv: ['--expose-gc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

interface State {
  readonly handshaking: number;
  readonly connections: number;
  readonly handshakeErrors: number;
  readonly failures: Record<string, number>;
  readonly rss: number;
}

async function stateOf(server: ChildProcess): Promise<State> {
  server.send('state');
  const [state] = await once(server, 'message');
  return state;
}

/** Resolves when so many handshakes have failed, and no connection is left. */
async function emptied(server: ChildProcess, handshakeErrors: number): Promise<State> {
  for (;;) {
    const state = await stateOf(server);
    if (state.connections === 0) {
      expect(state.handshakeErrors).toBe(handshakeErrors);
      return state;
    }
  }
}

async function expectEcho(port: number, pki: TestPki): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: pki.ca.certPem });
  socket.write('hello');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toBe('hello');
  socket.end();
  await once(socket, 'close');
}

/** Both programs need a descriptor for each connection. */
function hasDescriptors(): boolean {
  const limit = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout.trim();
  if (limit === 'unlimited' || Number(limit) > connections + 100 || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: ${connections} half-finished handshakes: the limit of descriptors is ${limit}`);
  return false;
}

it.skipIf(!isAddonUsable() || !hasDescriptors())(
  'a server serves others while 10,000 handshakes are left half-finished, and gives them up with their memory',
  { timeout: 400_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'half-finished-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const pki = await createTestPki();
    const { server: identity } = writePki(pki, folder);
    const server = start('half-finished-server.mjs', [handshakeMs, identity.chain, identity.key]);
    const [{ port }] = await once(server, 'message');
    await expectEcho(port, pki);
    const before = await stateOf(server);
    const peaks: number[] = [];
    for (let round = 1; round <= 2; round++) {
      const clients = start('half-finished-clients.mjs', [port, connections]);
      await once(clients, 'message');
      const during = await stateOf(server);
      expect(during.handshaking).toBe(connections);
      peaks.push(during.rss - before.rss);
      await expectEcho(port, pki);
      if (waitsForTimeout) await once(clients, 'message');
      else clients.kill('SIGKILL');
      const { failures } = await emptied(server, round * connections);
      const codes = waitsForTimeout
        ? ['ERR_BUFFEREVENT_TIMEOUT']
        : ['ECONNRESET', 'EPIPE', 'ERR_BUFFEREVENT_UNEXPECTED_END'];
      for (const code of Object.keys(failures)) expect(codes).toContain(code);
    }
    await expectEcho(port, pki);
    const [first, second] = peaks as [number, number];
    expect(first / connections).toBeLessThan(handshakeBytes);
    // Nothing of the first is left when the second comes.
    expect(second).toBeLessThan(first * 1.2);
  },
);
