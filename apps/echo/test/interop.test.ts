import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import type { LoadTarget } from '../dist/load/index.js';
import { onEveryBackend } from './support/backends.js';
import { isUsable } from './support/tools.js';
import { within } from './support/within.js';

const clients: [tool: string, words: (target: LoadTarget) => string[]][] = [
  ['ncat', ({ host, port }) => [host, `${port}`]],
  ['socat', ({ host, port }) => ['-t', '30', 'STDIO', `TCP:${host}:${port}`]],
];

onEveryBackend('other clients', (startServer) => {
  for (const [tool, words] of clients) {
    it.skipIf(!isUsable(tool))(
      `${tool} gets a file of 64 MiB back byte for byte and half-closes`,
      async () => {
        const bytes = randomBytes(64 * 2 ** 20);
        const folder = mkdtempSync(join(tmpdir(), 'echo-'));
        onTestFinished(() => rmSync(folder, { recursive: true }));
        const file = join(folder, 'random');
        writeFileSync(file, bytes);

        const { server, target } = await startServer();
        const child = spawn(tool, words(target), { stdio: ['pipe', 'pipe', 'inherit'] });
        onTestFinished(() => void child.kill('SIGKILL'));
        child.stdin.on('error', () => {});
        createReadStream(file).pipe(child.stdin);
        const answer = await within(50_000, `the whole answer by ${tool}`, buffer(child.stdout));
        expect(answer.length).toBe(bytes.length);
        expect(answer.equals(bytes)).toBe(true);
        await server.prints(/: clean$/m);
      },
      60_000,
    );
  }
});
