import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { createTestPki, writePki } from 'certificates';
import { describe, expect, it, onTestFinished } from 'vitest';
import { echoCases, isUsable } from './cases.js';

describe.runIf(isUsable())('over the mechanism of this system', () => {
  echoCases({ describe, it }, 1);

  it('is a program that serves until it is told to end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'iocp-tls-echo-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const pki = await createTestPki();
    const { server } = writePki(pki, folder);
    const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
    const program = spawn(process.execPath, [main, server.chain, server.key], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void program.kill('SIGKILL'));
    let output = '';
    program.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    while (!output.includes('\n')) await once(program.stdout, 'data');
    const [, port] = /^listening on 127\.0\.0\.1:(\d+) over \w+\n/.exec(output) ?? [];
    const socket = connect({ port: Number(port), host: '127.0.0.1', ca: pki.ca.certPem });
    socket.setEncoding('utf8').end('hello');
    expect(await socket.toArray()).toEqual(['hello']);
    while (!output.includes('a client has ended')) await once(program.stdout, 'data');
    program.kill('SIGTERM');
    expect(await once(program, 'close')).toEqual([0, null]);
  });
});
