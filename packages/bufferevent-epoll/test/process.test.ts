import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { describeOnEpoll } from './available.js';

describeOnEpoll('a process with a port', () => {
  it('C16: a process that waits for nothing but the disposal of a port sees it through', async () => {
    const script = fileURLToPath(new URL('./dispose.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 8000 });
    expect(stdout).toBe('disposed\n');
  });
});
