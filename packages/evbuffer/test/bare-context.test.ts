import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('./fixtures/bare-context.mjs', import.meta.url));

function run(...words: string[]): string {
  return execFileSync(process.execPath, ['--experimental-vm-modules', '--no-warnings', script, ...words], {
    encoding: 'utf8',
  });
}

test('the package works where there is the language alone: no Buffer, no Node builtin, no text codec', {
  timeout: 30_000,
}, () => {
  expect(run()).toContain('utf8 without a codec, base64 without a codec, nothing was added, search, moved');
});

test('without Buffer, text goes through TextEncoder, TextDecoder, atob and btoa', { timeout: 30_000 }, () => {
  expect(run('text')).toContain('utf8, base64, search, moved');
});
