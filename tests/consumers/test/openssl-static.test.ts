import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ScratchProject, withDependencies } from './scratch-project.js';
import { areUsable } from './tools.js';

const LONG = { timeout: 300_000 };
const root = fileURLToPath(new URL('../../..', import.meta.url));
const openssl = join(root, 'packages/bufferevent-openssl');
const addon = join(openssl, 'build-static/bufferevent_openssl.node');
const scenes = join(openssl, 'test/binding/run.mjs');
const canBuild =
  process.platform === 'linux' &&
  areUsable('g++') &&
  (existsSync('/usr/include/openssl/ssl.h') || process.env['REQUIRE_TOOLS'] === '1');
if (!canBuild) console.warn('skipped: the addon with an OpenSSL of its own, which needs g++ and libssl-dev');

describe.runIf(canBuild)('the addon with an OpenSSL of its own', () => {
  let project: ScratchProject;
  let pki: string;
  beforeAll(() => {
    execFileSync('npm', ['run', '--silent', 'build:static'], { cwd: openssl, stdio: 'inherit' });
    project = new ScratchProject(withDependencies('bufferevent-openssl'), 'openssl');
    pki = join(project.folder, 'pki.json');
    execFileSync(join(root, 'node_modules/.bin/tsx'), ['test/binding/write-pki.ts', pki], { cwd: openssl });
  }, LONG.timeout);
  afterAll(() => project.remove());

  test('shares no function of OpenSSL with the process', () => {
    const symbols = execFileSync('nm', ['--dynamic', addon], { encoding: 'utf8' });
    expect(symbols).not.toMatch(/ (SSL|BIO|EVP|X509|ERR|OPENSSL|CRYPTO)_/);
  });

  for (const [where, program, words] of [
    ['node', process.execPath, []],
    ['bun', 'bun', []],
    ['deno', 'deno', ['run', '--allow-all']],
  ] as const) {
    const start = (...more: string[]): string =>
      project.run('env', [
        `BUFFEREVENT_OPENSSL_ADDON=${addon}`,
        where === 'node' ? program : project.tool(program),
        ...words,
        ...more,
      ]);

    test(`does in ${where} what the addon of Node does`, LONG, () => {
      expect(start(scenes, addon, pki)).toMatch(/^(\d+) of \1 scenes over OpenSSL 3\.\d+\.\d+\n$/);
    });

    test(`echoes over TLS in ${where}`, LONG, () => {
      expect(start('echo.mjs')).toBe(
        `available: true\nreason: null\nechoed over TLSv1.3\nclean\naddons: bufferevent_openssl.node\n`,
      );
    });
  }
});
