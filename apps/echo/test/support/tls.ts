import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { unavailabilityReason } from 'bufferevent-openssl';
import { createTestPki, type PkiFiles, type TestPki, writePki } from 'certificates';
import { onTestFinished } from 'vitest';
import type { LoadTarget } from '../../dist/load/index.js';
import { isRequired } from './tools.js';
import { within } from './within.js';

const reason = unavailabilityReason();

/** Whether tests with TLS run here. */
export const canTls: boolean = reason === null || isRequired(`TLS, which is not available: ${reason}`);

/** Removed with the process. */
export const filesFolder: string = mkdtempSync(join(tmpdir(), 'echo-tls-'));
process.once('exit', () => rmSync(filesFolder, { recursive: true, force: true }));

export const pki: TestPki = await createTestPki();
export const files: PkiFiles = writePki(pki, filesFolder);

/** A connection by `node:tls`, its handshake done; it trusts the authority of the tests. */
export async function openTlsPeer(target: LoadTarget, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { host, port } = target;
  const socket = connect({ host, port, ca: pki.ca.certPem, ...options });
  onTestFinished(() => void socket.destroy());
  await within(8_000, 'handshake', once(socket, 'secureConnect'));
  socket.on('error', () => {}); // Tests that care look at 'close'.
  return socket;
}

/** The same, with the connection under it, which can be ended without TLS knowing. */
export async function openTlsPeerOver(target: LoadTarget): Promise<{ peer: TLSSocket; below: Socket }> {
  const below = connectPlain({ host: target.host, port: target.port });
  await within(8_000, 'connection', once(below, 'connect'));
  return { peer: await openTlsPeer(target, { socket: below, host: target.host }), below };
}

/** `openssl s_client`, which sends what it is given and shows what it gets; killed when the test is over. */
export function openssl(
  target: LoadTarget,
  ...words: string[]
): { stdin: Writable; stdout: Readable; ended: Promise<number | null> } {
  const client = ['s_client', '-quiet', '-nocommands', '-no_ign_eof', '-connect', `${target.host}:${target.port}`];
  const verify = ['-CAfile', files.ca, '-verify_return_error', '-verify_ip', target.host];
  const child = spawn('openssl', [...client, ...verify, ...words], { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdin.on('error', () => {}); // It may end before it has read everything.
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { stdin: child.stdin, stdout: child.stdout, ended };
}
