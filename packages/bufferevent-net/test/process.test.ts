import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('C13, C16: an unobserved ECONNRESET does nothing to the process, which ends when nothing is pending', async () => {
  const script = fileURLToPath(new URL('./unobserved.mjs', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { timeout: 8000 });
  expect(stderr).toBe('');
  expect(stdout).toBe('1 stream, true\n');
});
