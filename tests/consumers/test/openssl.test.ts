import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ScratchProject, withDependencies } from './scratch-project.js';
import { areUsable } from './tools.js';

const LONG = { timeout: 120_000 };
const root = fileURLToPath(new URL('../../../packages', import.meta.url));
const openssl = join(root, 'bufferevent-openssl');
const packages = withDependencies('bufferevent-openssl');
const canBuild = process.platform === 'linux' && areUsable('g++', 'make', 'python3', 'strip');

/** What `npm install` runs, as npm runs it but for the path where it finds other programs. */
function install(project: ScratchProject, env: NodeJS.ProcessEnv): string {
  return execFileSync(process.execPath, ['scripts/install.mjs'], {
    cwd: join(project.folder, 'node_modules/bufferevent-openssl'),
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

const addonOf = (project: ScratchProject): string =>
  join(project.folder, 'node_modules/bufferevent-openssl/build/Release/bufferevent_openssl.node');

const echoed = (addon: string): string =>
  `available: true\nreason: null\nechoed over TLSv1.3\nclean\naddons: ${addon}\n`;

describe('the packed bufferevent-openssl', () => {
  let project: ScratchProject;
  beforeAll(() => {
    if (canBuild) execFileSync('npm', ['run', '--silent', 'prebuilds'], { cwd: openssl });
    project = new ScratchProject(packages, 'openssl');
  }, LONG.timeout);
  afterAll(() => project.remove());

  test('has nothing that publint objects to', LONG, () => {
    expect(project.run(project.tool('publint'), [project.tarball('bufferevent-openssl'), '--strict'])).toContain(
      'All good!',
    );
  });

  test('has types that every way of importing it finds', LONG, () => {
    project.run(project.tool('attw'), [project.tarball('bufferevent-openssl'), '--profile', 'esm-only', '--no-emoji']);
  });

  test('brings node-gyp-build along, and nothing else of others', () => {
    const others = readdirSync(join(project.folder, 'node_modules')).filter((name) => !packages.includes(name));
    expect(others).toEqual(['node-gyp-build']);
    expect(packages).not.toContain('certificates');
  });

  test.runIf(canBuild)('echoes with its prebuilt binary, and asks for no compiler at installation', LONG, () => {
    expect(install(project, { PATH: '' })).toBe('');
    expect(existsSync(addonOf(project))).toBe(false);
    expect(project.run(process.execPath, ['echo.mjs'])).toBe(echoed('bufferevent-openssl.glibc.node'));
  });

  test.runIf(canBuild)('runs a TLS echo in ten lines of node -e', LONG, () => {
    const lines = [
      `import { connectTls, createSelfSignedCertificate, listenTls } from 'bufferevent-openssl';`,
      `const { key, cert } = createSelfSignedCertificate();`,
      `const handlers = { onRead: (bev) => bev.write(bev.input), onEvent: (bev) => void bev.end() };`,
      `const listener = await listenTls({ host: '127.0.0.1', port: 0 }, handlers, { key, cert });`,
      `const bev = await connectTls({ ...listener.address, ca: cert });`,
      `bev.write('ten lines at most\\n');`,
      `console.log(await bev.readLine('lf'));`,
      `console.log((await bev.end()).kind);`,
      `await listener.close();`,
    ];
    expect(lines.length).toBeLessThanOrEqual(10);
    const printed = project.run(process.execPath, ['--input-type=module', '-e', lines.join('\n')]);
    expect(printed).toBe('ten lines at most\nclean\n');
  });

  for (const [where, program, words] of [
    ['bun', 'bun', ['echo.mjs']],
    ['deno', 'deno', ['run', '--allow-all', 'echo.mjs']],
  ] as const) {
    test(`says why it is not available in ${where}, where the same program runs without`, LONG, () => {
      const lines = project.run(project.tool(program), words).split('\n');
      expect(lines[0]).toBe('available: false');
      expect(lines[1]).toContain(`reason: ${where} does not share an OpenSSL with addons`);
      expect(lines.slice(2)).toEqual(['echoed over TCP alone', 'clean', 'addons: ', '']);
    });
  }
});

describe('bufferevent-openssl without a prebuilt binary', () => {
  let project: ScratchProject;
  beforeAll(() => {
    project = new ScratchProject(packages, 'openssl');
    rmSync(join(project.folder, 'node_modules/bufferevent-openssl/prebuilds'), { recursive: true, force: true });
  }, LONG.timeout);
  afterAll(() => project.remove());

  test('is installed where it cannot be built, with one line that says why, and says it when asked', LONG, () => {
    const reason = process.platform === 'linux' ? 'make was not found' : 'tried on Linux only';
    const line = install(project, { PATH: '', CXX: '' });
    expect(line).toContain(`bufferevent-openssl: installed without its addon: ${reason}`);
    expect(line.trimEnd().split('\n')).toHaveLength(1);
    const lines = project.run(process.execPath, ['echo.mjs']).split('\n');
    expect(lines[0]).toBe('available: false');
    expect(lines[1]).toMatch(/^reason: the native addon could not be loaded: No native build/);
    expect(lines.slice(2)).toEqual(['echoed over TCP alone', 'clean', 'addons: ', '']);
  });

  test.runIf(canBuild)('is built from source at installation where there is a compiler', LONG, () => {
    const gyp = join(openssl, 'node_modules/node-gyp/bin/node-gyp.js');
    expect(install(project, { npm_config_node_gyp: gyp })).toBe('');
    expect(existsSync(addonOf(project))).toBe(true);
    expect(project.run(process.execPath, ['echo.mjs'])).toBe(echoed('bufferevent_openssl.node'));
  });
});

describe('without bufferevent-openssl', () => {
  const others = readdirSync(root).filter((name) => name !== 'bufferevent-openssl');
  let project: ScratchProject;
  beforeAll(() => {
    project = new ScratchProject(others, 'plain');
  }, LONG.timeout);
  afterAll(() => project.remove());

  test('no other package wants it, or names TLS in what runs', LONG, async () => {
    const found: string[] = [];
    let files = 0;
    for (const name of others) {
      const folder = join(project.folder, 'node_modules', name);
      for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(m?js|json|cc|h|gyp)$/.test(file)) continue;
        files += 1;
        const text = readFileSync(join(folder, file), 'utf8');
        // Comments may say what a seam is good for.
        const code = /\.m?js$/.test(file) ? (await transform(text, { legalComments: 'none' })).code : text;
        if (/openssl|\btls\b/i.test(code)) found.push(`${name}/${file}`);
      }
    }
    expect(files).toBeGreaterThan(200);
    expect(found).toEqual([]);
  });

  test('nothing of TLS is loaded by all entries of all other packages', LONG, () => {
    const lines = project.run(process.execPath, ['everything.mjs']).trimEnd().split('\n');
    expect(Number(/^(\d+) entries$/.exec(lines[0]!)?.[1])).toBeGreaterThan(10);
    expect(lines.slice(1, -1)).toContain('echoed');
    expect(lines.at(-1)).toBe('of TLS:');
  });
});
