import { cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { ScratchProject } from './scratch-project.js';

const LONG = { timeout: 60_000 };
const here = fileURLToPath(new URL('..', import.meta.url));

const project = new ScratchProject();
afterAll(() => project.remove());
cpSync(join(here, 'types'), project.folder, { recursive: true });
symlinkSync(join(here, 'node_modules/@types'), join(project.folder, 'node_modules/@types'), 'junction');

interface Setting {
  readonly module: 'nodenext' | 'bundler';
  readonly lib: readonly string[];
  readonly types: readonly string[];
}

/** Compiles programs of a user who checks everything, the declarations of the package too; returns what the compiler objects to. */
function compile({ module, lib, types }: Setting, files: readonly string[]): string {
  const resolution = module === 'nodenext' ? { module: 'nodenext' } : { module: 'esnext', moduleResolution: 'bundler' };
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'es2022',
    ...resolution,
    lib,
    types,
  };
  writeFileSync(join(project.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  return project.output(project.tool('tsc'), ['-p', 'tsconfig.json', '--pretty', 'false']);
}

describe('the types of the packed evbuffer', () => {
  for (const module of ['nodenext', 'bundler'] as const) {
    for (const dom of [false, true]) {
      for (const node of [false, true]) {
        const where = `${dom ? 'with' : 'without'} the DOM, ${node ? 'with' : 'without'} the types of Node`;
        test(`compile with ${module}, ${where}`, LONG, () => {
          const setting = { module, lib: dom ? ['es2022', 'dom'] : ['es2022'], types: node ? ['node'] : [] };
          const files = ['everywhere.ts'];
          if (dom || node) files.push('platform.ts');
          if (node) files.push('file.ts');
          expect(compile(setting, files)).toBe('');
        });
      }
    }
  }

  test('of evbuffer/file ask for those of Node, and say so', LONG, () => {
    const refused = compile({ module: 'nodenext', lib: ['es2022', 'dom'], types: [] }, ['file.ts']);
    expect(refused.trim()).toMatch(/^node_modules\/evbuffer\/dist\/file-segment\.d\.ts[^\n]*@types\/node[^\n]*$/);
  });
});
