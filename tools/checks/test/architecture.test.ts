// Breaks every architecture rule on purpose, in a copy of the workspace's skeleton, and expects the check to say so.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../src/workspace.js';

/** File → what it imports → the rule that forbids it. */
const violations: readonly { rule: string; file: string; code: string }[] = [
  // Each package reaches for one that is not below it. What it does not declare, isolated `node_modules` hide as well; the
  // relative path shows that the arrow itself is checked.
  {
    rule: 'arrows-of-evbuffer',
    file: 'packages/evbuffer/src/up.ts',
    code: "import '../../bufferevent-backend/dist/index.js';",
  },
  {
    rule: 'arrows-of-bufferevent-backend',
    file: 'packages/bufferevent-backend/src/up.ts',
    code: "import '../../evbuffer/dist/index.js';",
  },
  {
    rule: 'arrows-of-bufferevent-backend-compliance',
    file: 'packages/bufferevent-backend-compliance/src/up.ts',
    code: "import '../../bufferevent-net/dist/index.js';",
  },
  {
    rule: 'arrows-of-bufferevent-net',
    file: 'packages/bufferevent-net/src/dev.ts',
    code: "import 'bufferevent-backend-compliance';",
  },
  {
    rule: 'arrows-of-bufferevent-addon',
    file: 'packages/bufferevent-addon/src/up.ts',
    code: "import '../../bufferevent-backend/dist/index.js';",
  },
  {
    rule: 'arrows-of-bufferevent-epoll',
    file: 'packages/bufferevent-epoll/src/dev.ts',
    code: "import 'bufferevent-backend-compliance';",
  },
  {
    rule: 'arrows-of-bufferevent-iocp',
    file: 'packages/bufferevent-iocp/src/dev.ts',
    code: "import 'bufferevent-backend-compliance';",
  },
  {
    rule: 'arrows-of-bufferevent',
    file: 'packages/bufferevent/src/up.ts',
    code: "import type { x } from '../../../apps/echo/dist/index.js';",
  },
  {
    rule: 'arrows-of-bufferevent-openssl',
    file: 'packages/bufferevent-openssl/src/past.ts',
    code: "import '../../bufferevent-net/dist/index.js';",
  },
  { rule: 'arrows-of-echo', file: 'apps/echo/src/down.ts', code: "import '../../../packages/evbuffer/dist/index.js';" },
  {
    rule: 'arrows-of-workers-echo',
    file: 'examples/workers-echo/src/down.ts',
    code: "import '../../../packages/evbuffer/dist/index.js';",
  },
  { rule: 'package-without-arrows', file: 'packages/newcomer/src/index.ts', code: "import './other.js';" },
  { rule: 'no-circular', file: 'packages/evbuffer/src/circle.ts', code: "import './circle2.js';" },
  {
    rule: 'evbuffer-without-builtins',
    file: 'packages/evbuffer/src/builtin.ts',
    code: "import { Buffer } from 'node:buffer';",
  },
  {
    rule: 'evbuffer-file-reads-files-only',
    file: 'packages/evbuffer/src/file-segment.ts',
    code: "import 'node:os';",
  },
  {
    rule: 'evbuffer-main-without-files',
    file: 'packages/evbuffer/src/impatient.ts',
    code: "import './file-segment.js';",
  },
  {
    rule: 'bufferevent-main-without-codecs',
    file: 'packages/bufferevent/src/squeezed.ts',
    code: "import './codecs/squeeze.js';",
  },
  {
    rule: 'bufferevent-main-without-codecs',
    file: 'packages/bufferevent/src/deflated.ts',
    code: "import 'node:zlib';",
  },
  {
    rule: 'other-packages-by-name',
    file: 'packages/bufferevent/src/inside.ts',
    code: "import '../../evbuffer/src/index.js';",
  },
  {
    rule: 'other-packages-by-name',
    file: 'packages/bufferevent-net/test/inside.ts',
    code: "import '../../bufferevent-backend/dist/index.js';",
  },
  { rule: 'resolvable', file: 'packages/bufferevent/src/deep.ts', code: "import 'evbuffer/dist/index.js';" },
  { rule: 'resolvable', file: 'packages/bufferevent-net/src/hidden.ts', code: "import 'evbuffer';" },
  { rule: 'declared', file: 'packages/bufferevent/src/hoisted.ts', code: "import 'at-the-root';" },
  { rule: 'src-without-tests', file: 'packages/bufferevent/src/helped.ts', code: "import '../test/helper.js';" },
  { rule: 'src-without-dev-dependencies', file: 'packages/bufferevent/src/tested.ts', code: "import 'fast-check';" },
];

/** Modules that reach for sockets past the backend contract: forbidden everywhere in `src/` but in bufferevent-net. */
const socketImports: readonly { file: string; code: string }[] = [
  { file: 'packages/bufferevent/src/named.ts', code: "import { connect } from 'node:net';" },
  { file: 'packages/bufferevent/src/whole.ts', code: "import * as net from 'node:net';" },
  { file: 'packages/bufferevent/src/typed.ts', code: "import type { Socket } from 'node:net';" },
  { file: 'packages/bufferevent/src/later.ts', code: "const net = await import('node:net');" },
  { file: 'packages/bufferevent-backend/src/udp.ts', code: "import { createSocket } from 'node:dgram';" },
  { file: 'packages/bufferevent/src/secure.ts', code: "import { connect } from 'node:tls';" },
];

/** What every module of the fixture may do. */
const allowed: Readonly<Record<string, string>> = {
  'packages/evbuffer/src/index.ts': "import './chain.js';",
  'packages/evbuffer/src/chain.ts': "import type { x } from './index.js';",
  'packages/bufferevent-backend-compliance/src/index.ts':
    "import assert from 'node:assert/strict';\nimport 'bufferevent-backend';",
  'packages/bufferevent-net/src/index.ts': "import { Socket } from 'node:net';\nimport 'bufferevent-backend';",
  'packages/bufferevent-backend/src/address.ts': "import { isIP } from 'node:net';",
  'packages/bufferevent-net/test/suite.ts':
    "import 'bufferevent-backend-compliance';\nimport 'vitest';\nimport '../src/index.js';",
  'packages/bufferevent/src/index.ts':
    "import 'evbuffer';\nimport 'bufferevent-backend';\nimport 'bufferevent-backend/memory';\nimport 'bufferevent-net';",
  'packages/bufferevent-openssl/src/index.ts':
    "import 'evbuffer';\nimport 'bufferevent-backend';\nimport 'bufferevent';",
  'packages/bufferevent/src/codecs/squeeze.ts': "import 'node:zlib';\nimport '../index.js';",
  'packages/bufferevent/test/helper.ts': "import { createServer } from 'node:net';\nimport 'fast-check';",
  'apps/echo/src/main.ts':
    "import 'bufferevent';\nimport 'bufferevent-net';\nimport 'bufferevent-epoll';\nimport { createServer } from 'node:net';",
  'examples/workers-echo/src/main.ts': "import 'bufferevent';\nimport 'bufferevent-epoll';",
};

const helpers: Readonly<Record<string, string>> = {
  'packages/newcomer/package.json': '{ "name": "newcomer", "type": "module" }',
  'packages/newcomer/src/other.ts': 'export {};',
  'packages/evbuffer/src/circle2.ts': "import './circle.js';",
  'node_modules/at-the-root/package.json': '{ "name": "at-the-root", "main": "index.js" }',
  'node_modules/at-the-root/index.js': '',
};

const fixture = mkdtempSync(join(tmpdir(), 'architecture-'));
afterAll(() => rmSync(fixture, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(fixture, file)), { recursive: true });
  writeFileSync(join(fixture, file), text);
}

/** The packages as they are declared: manifests, empty entry points, and `node_modules` with nothing but what they declare. */
function writeSkeleton(): void {
  for (const file of ['.dependency-cruiser.cjs', 'biome.json', '.gitignore', 'tsconfig.base.json', 'package.json'])
    cpSync(join(root, file), join(fixture, file));
  const folders = ['packages', 'apps', 'examples'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(parent, name)),
  );
  for (const folder of folders) {
    const text = readFileSync(join(root, folder, 'package.json'), 'utf8');
    const manifest = JSON.parse(text);
    write(join(folder, 'package.json'), text);
    write(join(folder, 'dist/index.js'), 'export {};');
    for (const entry of Object.values<string | Record<string, string>>(manifest.exports ?? {})) {
      if (typeof entry === 'object')
        for (const target of Object.values(entry)) write(join(folder, target), 'export {};');
    }
    const { dependencies, optionalDependencies, devDependencies } = manifest;
    for (const [name, range] of Object.entries<string>({
      ...dependencies,
      ...optionalDependencies,
      ...devDependencies,
    })) {
      const link = join(fixture, folder, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      if (range.startsWith('workspace:')) symlinkSync(join(fixture, 'packages', name), link);
      else if (existsSync(join(root, folder, 'node_modules', name)))
        symlinkSync(join(root, folder, 'node_modules', name), link);
    }
  }
  for (const [file, code] of Object.entries(allowed)) write(file, code);
}

/** Files in which Biome finds an import that its configuration restricts. */
function restrictedImports(): string[] {
  const words = ['lint', '--only=style/noRestrictedImports', '--max-diagnostics=none', '--colors=off', '.'];
  const { stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/biome'), words, {
    cwd: fixture,
    encoding: 'utf8',
  });
  return [...`${stdout}${stderr}`.matchAll(/^(\S+?):\d+:\d+ lint\/style\/noRestrictedImports/gm)].map(
    ([, file = '']) => file,
  );
}

/** Runs the check as the pipeline does. Broken rules as `rule: file`. */
function runCheck(): { code: number | null; broken: string[]; output: string } {
  const depcruise = join(root, 'node_modules/.bin/depcruise');
  const words = ['packages', 'apps', 'examples', '--config', '.dependency-cruiser.cjs'];
  const { status, stdout, stderr } = spawnSync(depcruise, words, { cwd: fixture, encoding: 'utf8' });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are not part of the message
  const output = `${stdout}${stderr}`.replaceAll(/\u001b\[[\d;]*m/g, '');
  const broken = [...output.matchAll(/^\s*error ([\w-]+): (\S+)/gm)].map(([, rule, file]) => `${rule}: ${file}`);
  return { code: status, broken, output };
}

describe('the architecture check', () => {
  let clean: ReturnType<typeof runCheck>;
  let dirty: ReturnType<typeof runCheck>;

  beforeAll(() => {
    writeSkeleton();
    clean = runCheck();
    for (const [file, text] of Object.entries(helpers)) write(file, text);
    for (const { file, code } of violations) write(file, code);
    dirty = runCheck();
  }, 30_000);

  it('accepts the arrows of the design', () => {
    expect(clean.output).toContain('no dependency violations found');
    expect(clean.code).toBe(0);
  });

  it('fails when a rule is broken', () => {
    expect(dirty.code).toBeGreaterThan(0);
  });

  for (const { rule, file, code } of violations) {
    it(`reports ${rule} for ${code} in ${file}`, () => {
      expect(dirty.broken).toContain(`${rule}: ${file}`);
    });
  }

  it('reports nothing about the files that keep the rules', () => {
    const innocent = [...Object.keys(allowed), 'packages/bufferevent-net/test/suite.ts'];
    expect(dirty.broken.filter((line) => innocent.some((file) => line.endsWith(`: ${file}`)))).toEqual([]);
  });

  it('has a deliberate violation for every one of its rules', () => {
    const rules = readFileSync(join(root, '.dependency-cruiser.cjs'), 'utf8');
    const named = [...rules.matchAll(/name: '([\w-]+)'/g)].map(([, name]) => name);
    const arrows = [...dirty.broken].filter((line) => line.startsWith('arrows-of-')).map((line) => line.split(':')[0]);
    expect(new Set([...named, ...arrows])).toEqual(new Set(violations.map(({ rule }) => rule)));
  });
});

describe('sockets', () => {
  it('are opened by bufferevent-net only; the name of an address is no socket', () => {
    expect(restrictedImports()).toEqual([]);
    for (const { file, code } of socketImports) write(file, code);
    expect(restrictedImports().sort()).toEqual(socketImports.map(({ file }) => file).sort());
  });
});
