import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Staging } from '../src/staging.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'staging-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const staged = (path: string): string => join(folder, 'node_modules', path);

/** Addons are built for it. */
const patienceMs = 180_000;

describe('a stage', { timeout: patienceMs }, () => {
  it('holds a package as it was built, its tests as JavaScript, and what they need', () => {
    const net = new Staging(folder).add('bufferevent-net');
    expect(net).toBe(staged('bufferevent-net'));
    for (const file of ['dist/index.js', 'package.json', 'test/harness.js', 'test/child-harness.mjs']) {
      expect(existsSync(join(net, file)), file).toBe(true);
    }
    expect(readFileSync(join(net, 'test/harness.js'), 'utf8')).not.toMatch(/: Harness|import type/);
    expect(existsSync(staged('bufferevent-backend/dist/index.js'))).toBe(true);
    expect(existsSync(staged('bufferevent-backend-compliance/dist/index.js'))).toBe(true);
    expect(existsSync(staged('bufferevent-epoll'))).toBe(false);
  });

  it('has tests import what was built in place of sources', () => {
    const epoll = new Staging(folder).add('bufferevent-epoll');
    const code = readFileSync(join(epoll, 'test/available.js'), 'utf8');
    expect(code).not.toContain('/src/');
  });

  it('holds what others have published, and what that needs in turn', () => {
    new Staging(folder).add('echo');
    expect(existsSync(staged('commander/package.json'))).toBe(true);
    expect(existsSync(staged('cli-progress/package.json'))).toBe(true);
    expect(existsSync(staged('string-width/package.json'))).toBe(true);
  });

  it('holds tools that are used as they stand, as JavaScript', () => {
    new Staging(folder).add('echo');
    expect(existsSync(staged('certificates/src/index.js'))).toBe(true);
    expect(readFileSync(staged('certificates/package.json'), 'utf8')).toContain('./src/index.js');
  });

  it('is one copy of each, however many need it', () => {
    const staging = new Staging(folder);
    staging.add('bufferevent-net');
    staging.add('bufferevent');
    expect(existsSync(staged('bufferevent/node_modules'))).toBe(false);
    expect(existsSync(staged('bufferevent-net/node_modules'))).toBe(false);
  });

  it('of what is no package of the workspace does not exist', () => {
    expect(() => new Staging(folder).add('vitest')).toThrow('vitest is no package of the workspace');
  });
});
