import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ScratchProject, withDependencies } from './scratch-project.js';

const LONG = { timeout: 120_000 };
const reason = `completion ports exist on Windows only, and this is ${process.platform}`;

describe.runIf(process.platform !== 'win32')('the packed bufferevent-iocp where there are no completion ports', () => {
  let project: ScratchProject;
  beforeAll(() => {
    project = new ScratchProject(withDependencies('bufferevent-iocp'), 'iocp');
  }, LONG.timeout);
  afterAll(() => project.remove());

  test('has nothing that publint objects to', LONG, () => {
    expect(project.run(project.tool('publint'), [project.tarball('bufferevent-iocp'), '--strict'])).toContain(
      'All good!',
    );
  });

  test('has types that every way of importing it finds', LONG, () => {
    project.run(project.tool('attw'), [project.tarball('bufferevent-iocp'), '--profile', 'esm-only', '--no-emoji']);
  });

  test('is installed with one line that says why it has no addon, and says it when asked', LONG, () => {
    const folder = join(project.folder, 'node_modules/bufferevent-iocp');
    const line = execFileSync(process.execPath, ['scripts/install.mjs'], { cwd: folder, encoding: 'utf8' });
    expect(line).toBe(`bufferevent-iocp: installed without its addon: ${reason}\n`);
    const refused = `ERR_BACKEND_UNSUPPORTED iocp is not available: ${reason}\n`;
    expect(project.run(process.execPath, ['unavailable.mjs'])).toBe(`false ${reason}\n${refused}${refused}`);
  });

  test('has all that a build from source includes', () => {
    const native = (name: string): string[] => readdirSync(join(project.folder, 'node_modules', name, 'native'));
    expect(native('bufferevent-iocp')).toContain('completion-port.cc');
    expect(native('bufferevent-backend')).toContain('ring-port.h');
  });
});
