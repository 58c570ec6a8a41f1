import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildAddon, findAddon, installAddon } from '../src/index.js';

const VARIABLE = 'BUFFEREVENT_TEST_ADDON';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'addon-'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "without-an-addon" }');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** What an installation prints. */
function installed(found: Parameters<typeof installAddon>[2], lacking: string | null): string[] {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  installAddon(folder, 'a-package', found, lacking);
  return log.mock.calls.map(String);
}

describe('an addon', () => {
  it('that was named is taken before all others', () => {
    const file = join(folder, 'named.cjs');
    writeFileSync(file, 'module.exports = { named: true };');
    vi.stubEnv(VARIABLE, file);
    expect(findAddon(folder, VARIABLE)).toEqual({ binding: { named: true } });
  });

  it('that throws when it is loaded is a reason of one line', () => {
    const file = join(folder, 'throwing.cjs');
    writeFileSync(file, `throw new Error('not here\\nand more');`);
    vi.stubEnv(VARIABLE, file);
    expect(findAddon(folder, VARIABLE)).toEqual({ reason: 'the native addon could not be loaded: not here' });
  });

  it('that does not exist is a reason', () => {
    const found = findAddon(folder, VARIABLE);
    expect(found).toEqual({ reason: expect.stringMatching(/^the native addon could not be loaded: No native build/) });
  });
});

describe('an installation', () => {
  it('builds nothing and says nothing where an addon loads', () => {
    expect(installed({ binding: {} }, 'not possible')).toEqual([]);
  });

  it.each(['true', 'a-package'])('builds nevertheless when that is asked for: %s', (wanted) => {
    vi.stubEnv('npm_config_build_from_source', wanted);
    expect(installed({ binding: {} }, 'not possible')).toEqual([
      'a-package: installed without its addon: not possible',
    ]);
  });

  it('says in one line what the machine lacks', () => {
    vi.stubEnv('CXX', '/nowhere/compiler');
    vi.stubEnv('PATH', '');
    expect(installed({ reason: 'none' }, null)).toEqual(['a-package: installed without its addon: make was not found']);
  });
});

it('a build without a description of what to build fails with a reason', () => {
  vi.stubEnv('npm_config_node_gyp', '/nowhere/node-gyp.js');
  const result = buildAddon(folder);
  expect(result.outcome).not.toBe('built');
  if (result.outcome !== 'built') expect(result.reason).not.toBe('');
});
