import { cpSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { ScratchProject, withDependencies } from './scratch-project.js';

const LONG = { timeout: 60_000 };
const here = fileURLToPath(new URL('..', import.meta.url));

const packages = withDependencies('bufferevent');
const project = new ScratchProject(packages, 'sdk');
afterAll(() => project.remove());

describe('the packed bufferevent', () => {
  for (const name of packages.filter((each) => each !== 'evbuffer')) {
    test(`${name} has nothing that publint objects to`, LONG, () => {
      expect(project.run(project.tool('publint'), [project.tarball(name), '--strict'])).toContain('All good!');
    });

    test(`${name} has types that every way of importing it finds`, LONG, () => {
      project.run(project.tool('attw'), [project.tarball(name), '--profile', 'esm-only', '--no-emoji']);
    });
  }

  test('brings evbuffer, the contract and the default backend along, and nothing else', () => {
    expect([...packages].sort()).toEqual(['bufferevent', 'bufferevent-backend', 'bufferevent-net', 'evbuffer']);
    expect(readdirSync(join(project.folder, 'node_modules')).sort()).toEqual([...packages].sort());
  });

  test('echoes over sockets, filters and pairs without a native module', LONG, () => {
    expect(project.run(process.execPath, ['echo.mjs']).trimEnd().split('\n')).toEqual([
      'over a socket',
      'through a filter',
      'clean',
      'through a pair',
      '0 native modules',
    ]);
  });

  test('can be offered in part by the SDK of a platform, whose users never name it', LONG, () => {
    const sdk = join(project.folder, 'node_modules/platform-sdk');
    cpSync(join(here, 'sdk/platform-sdk'), sdk, { recursive: true });
    symlinkSync(join(here, 'node_modules/@types'), join(project.folder, 'node_modules/@types'), 'junction');
    const compilerOptions = {
      strict: true,
      skipLibCheck: false,
      declaration: true,
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      types: ['node'],
    };
    const compile = (folder: string, files: readonly string[]): void => {
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
      expect(project.output(project.tool('tsc'), ['-p', join(folder, 'tsconfig.json'), '--pretty', 'false'])).toBe('');
    };
    compile(sdk, ['index.ts']);
    compile(project.folder, ['user.ts']);
    expect(project.run(process.execPath, ['user.js'])).toBe('HELLO true\n');
  });
});
