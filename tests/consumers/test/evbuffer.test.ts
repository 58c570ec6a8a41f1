import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ScratchProject } from './scratch-project.js';

const LONG = { timeout: 60_000 };
/** The promise about the size of the main entry, minified and compressed. */
const MAX_MAIN_BYTES = 10 * 1024;

const MODEL_OPERATIONS = 20_000;

const project = new ScratchProject();
afterAll(() => project.remove());

/** The model of evbuffer's own tests, bundled without the package: it finds the installed one, and what it needs of its insides. */
async function bundleModel(name: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL('../../../packages/evbuffer/test/support/model.ts', import.meta.url))],
    outfile: join(project.folder, name),
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    plugins: [
      {
        name: 'insides of the installed package',
        setup: ({ onResolve }) => {
          onResolve({ filter: /\/dist\// }, ({ path }) => ({
            path: path.replace(/.*(?=\/dist\/)/, './node_modules/evbuffer'),
            external: true,
          }));
        },
      },
    ],
  });
}

describe('the packed evbuffer', () => {
  test('has nothing that publint objects to', LONG, () => {
    expect(project.run(project.tool('publint'), [project.tarball('evbuffer'), '--strict'])).toContain('All good!');
  });

  test('has types that every way of importing it finds', LONG, () => {
    project.run(project.tool('attw'), [project.tarball('evbuffer'), '--profile', 'esm-only', '--no-emoji']);
  });

  test('depends on nothing', () => {
    const manifest = JSON.parse(readFileSync(join(project.folder, 'node_modules/evbuffer/package.json'), 'utf8'));
    expect(manifest.dependencies ?? {}).toEqual({});
  });

  const bare = ['--experimental-vm-modules', '--no-warnings', 'bare-context.mjs'];
  const runtimes: readonly (readonly [string, string, readonly string[]])[] = [
    ['where there is the language alone: no Buffer, no Node builtin, no text codec', process.execPath, bare],
    ['where there are text codecs and no Buffer', process.execPath, [...bare, 'text']],
    ['in Node', process.execPath, ['main.mjs']],
    ['in Node by require()', process.execPath, ['--no-warnings', 'required.cjs']],
    ['in Bun', project.tool('bun'), ['main.mjs']],
    ['in Deno', project.tool('deno'), ['run', '--no-prompt', '--allow-read', 'main.mjs']],
  ];
  for (const [where, program, words] of runtimes) {
    test(`works ${where}`, LONG, () => {
      expect(project.run(program, words)).toMatch(/^\d{2,} hold\n$/);
    });
  }

  describe('holds the same bytes as flat arrays through random operations', () => {
    beforeAll(() => bundleModel('model.js'));
    const seed = process.env['MODEL_SEED'] ?? String(Date.now() & 0x7fffffff);
    const words = ['model.mjs', 'model.js', String(MODEL_OPERATIONS), seed];
    for (const [where, program, before] of [
      ['Node', process.execPath, []],
      ['Bun', project.tool('bun'), []],
      ['Deno', project.tool('deno'), ['run', '--no-prompt', '--allow-read']],
    ] as const) {
      test(`in ${where}`, LONG, () => {
        expect(project.run(program, [...before, ...words])).toBe(`${MODEL_OPERATIONS} operations hold\n`);
      });
    }
  });

  test(`is at most ${MAX_MAIN_BYTES} bytes for browsers, and asks for no builtin`, LONG, () => {
    writeFileSync(join(project.folder, 'entry.js'), "export * from 'evbuffer';\n");
    const words = ['entry.js', '--bundle', '--minify', '--format=esm', '--platform=browser'];
    const bundle = project.run(project.tool('esbuild'), words);
    expect(bundle).not.toContain('node:');
    const bytes = gzipSync(bundle, { level: 9 }).length;
    console.log(`evbuffer: ${bytes} bytes minified and compressed`);
    expect(bytes).toBeLessThanOrEqual(MAX_MAIN_BYTES);
  });
});
