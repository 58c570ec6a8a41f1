import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ScratchProject, withDependencies } from './scratch-project.js';
import { areUsable } from './tools.js';

const LONG = { timeout: 120_000 };
const epoll = fileURLToPath(new URL('../../../packages/bufferevent-epoll', import.meta.url));
const packages = withDependencies('bufferevent-epoll', withDependencies('bufferevent'));
const canBuild = process.platform === 'linux' && areUsable('g++', 'make', 'python3', 'strip');

/** What `npm install` runs, as npm runs it but for the path where it finds other programs. */
function install(project: ScratchProject, env: NodeJS.ProcessEnv): string {
  return execFileSync(process.execPath, ['scripts/install.mjs'], {
    cwd: join(project.folder, 'node_modules/bufferevent-epoll'),
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

const addonOf = (project: ScratchProject): string =>
  join(project.folder, 'node_modules/bufferevent-epoll/build/Release/bufferevent_epoll.node');

const echoed = (addon: string): string => `available: true\nreason: null\nechoed over epoll\nclean\naddons: ${addon}\n`;

describe('the packed bufferevent-epoll', () => {
  let project: ScratchProject;
  beforeAll(() => {
    if (canBuild) execFileSync('npm', ['run', '--silent', 'prebuilds'], { cwd: epoll });
    project = new ScratchProject(packages, 'epoll');
  }, LONG.timeout);
  afterAll(() => project.remove());

  test('has nothing that publint objects to', LONG, () => {
    expect(project.run(project.tool('publint'), [project.tarball('bufferevent-epoll'), '--strict'])).toContain(
      'All good!',
    );
  });

  test('has types that every way of importing it finds', LONG, () => {
    project.run(project.tool('attw'), [project.tarball('bufferevent-epoll'), '--profile', 'esm-only', '--no-emoji']);
  });

  test.runIf(canBuild)('echoes with its prebuilt binary, and asks for no compiler at installation', LONG, () => {
    expect(install(project, { PATH: '' })).toBe('');
    expect(existsSync(addonOf(project))).toBe(false);
    expect(project.run(process.execPath, ['echo.mjs'])).toBe(echoed('bufferevent-epoll.glibc.node'));
  });

  for (const [where, program, words] of [
    ['Bun', 'bun', ['echo.mjs']],
    ['Deno', 'deno', ['run', '--allow-all', 'echo.mjs']],
  ] as const) {
    test(`says why it is not available in ${where}, where the same program runs over net`, LONG, () => {
      expect(project.run(project.tool(program), words)).toBe(
        `available: false\nreason: ${where} does not offer the event loop of libuv to addons\nechoed over net\nclean\naddons: \n`,
      );
    });
  }
});

describe('bufferevent-epoll without a prebuilt binary', () => {
  let project: ScratchProject;
  beforeAll(() => {
    project = new ScratchProject(packages, 'epoll');
    rmSync(join(project.folder, 'node_modules/bufferevent-epoll/prebuilds'), { recursive: true, force: true });
  }, LONG.timeout);
  afterAll(() => project.remove());

  test('is installed where it cannot be built, with one line that says why, and says it when asked', LONG, () => {
    const reason = process.platform === 'linux' ? 'make was not found' : 'epoll exists on Linux only';
    const line = install(project, { PATH: '', CXX: '' });
    expect(line).toContain(`bufferevent-epoll: installed without its addon: ${reason}`);
    expect(line.trimEnd().split('\n')).toHaveLength(1);
    const lines = project.run(process.execPath, ['echo.mjs']).split('\n');
    expect(lines[0]).toBe('available: false');
    expect(lines[1]).toMatch(/^reason: (the native addon could not be loaded: No native build|epoll exists on Linux)/);
    expect(lines.slice(2)).toEqual(['echoed over net', 'clean', 'addons: ', '']);
  });

  test.runIf(canBuild)('is built from source at installation where there is a compiler', LONG, () => {
    const gyp = join(epoll, 'node_modules/node-gyp/bin/node-gyp.js');
    expect(install(project, { npm_config_node_gyp: gyp })).toBe('');
    expect(existsSync(addonOf(project))).toBe(true);
    expect(project.run(process.execPath, ['echo.mjs'])).toBe(echoed('bufferevent_epoll.node'));
  });
});
