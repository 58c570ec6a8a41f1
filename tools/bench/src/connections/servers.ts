import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, buildFolder, compileC, nativeSource } from '../native-program.js';
import type { Behaviour } from './workloads.js';

export type ServerId =
  | 'epoll'
  | 'epoll-no-context'
  | 'net'
  | 'c-loop'
  | 'libevent'
  | 'bun'
  | 'deno'
  | 'go'
  | 'node-write'
  | 'node-pipe';

/** A way to write the servers of this bench. They print where they listen, and end with SIGTERM. */
export interface ServerKind {
  readonly id: ServerId;
  readonly title: string;
  readonly behaviours: readonly Behaviour[];
  /** Makes what is to be run; says why it can't be, or `null`. */
  prepare(): string | null;
  /** `detail`: the bytes to send, or the file. `flags` are for V8. */
  command(
    behaviour: Behaviour,
    detail: string,
    flags: readonly string[],
  ): readonly [program: string, ...words: string[]];
  /** Whether it answers messages (`servers/ours.mjs`). */
  readonly answers: boolean;
}

const everything: readonly Behaviour[] = ['echo', 'lines', 'sink', 'source', 'file'];
const allButFile: readonly Behaviour[] = ['echo', 'lines', 'sink', 'source'];

const require = createRequire(import.meta.url);

function script(name: string): string {
  return fileURLToPath(new URL(`../../servers/${name}`, import.meta.url));
}

/** What a package is needed for says why it is missing. */
function whyNot(find: () => void): string | null {
  try {
    find();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0]! : String(error);
  }
}

function inNode(id: ServerId, title: string, file: string, words: readonly string[]): ServerKind {
  return {
    id,
    title,
    behaviours: everything,
    prepare: () => null,
    command: (behaviour, detail, flags) => [process.execPath, ...flags, script(file), ...words, behaviour, detail],
    answers: true,
  };
}

function bare(id: ServerId, title: string, behaviours: readonly Behaviour[], echo: string): ServerKind {
  return {
    ...inNode(id, title, 'bare.mjs', []),
    behaviours,
    command: (behaviour, detail, flags) => [
      process.execPath,
      ...flags,
      script('bare.mjs'),
      behaviour === 'echo' ? echo : behaviour,
      detail,
    ],
    answers: false,
  };
}

function native(id: ServerId, title: string, program: string, prepare: () => string | null): ServerKind {
  return {
    id,
    title,
    behaviours: allButFile,
    prepare,
    command: (behaviour, detail) => [
      `${buildFolder}${program}`,
      behaviour,
      ...(behaviour === 'source' ? [detail] : []),
    ],
    answers: false,
  };
}

function bunProgram(): string {
  return `${dirname(require.resolve('bun/package.json'))}/bin/bun.exe`;
}

function denoProgram(): string {
  return (require('deno/install_api.cjs') as { runInstall(): string }).runInstall();
}

/** In the order of the tables. */
export const servers: readonly ServerKind[] = [
  inNode('epoll', 'bufferevent on epoll', 'ours.mjs', ['epoll', 'context']),
  inNode('epoll-no-context', 'the same, `asyncContext: false`', 'ours.mjs', ['epoll', 'no-context']),
  inNode('net', 'bufferevent on net', 'ours.mjs', ['net', 'context']),
  native('c-loop', 'bare epoll loop in C', 'epoll-server', () => compileC('epoll-server')),
  native('libevent', 'libevent in C', 'libevent-server', () => compileC('libevent-server', ['event_core'])),
  {
    id: 'bun',
    title: '`Bun.listen`',
    behaviours: allButFile,
    prepare: () => whyNot(() => execFileSync(bunProgram(), ['--version'])),
    command: (behaviour, detail) => [bunProgram(), script('bun.mjs'), behaviour, detail],
    answers: false,
  },
  {
    id: 'deno',
    title: '`Deno.listen`',
    behaviours: allButFile,
    prepare: () => whyNot(() => execFileSync(denoProgram(), ['--version'])),
    command: (behaviour, detail, flags) => [
      denoProgram(),
      'run',
      '--no-config',
      '--allow-net',
      ...(flags.length > 0 ? [`--v8-flags=${flags.join(',')}`] : []),
      script('deno.mjs'),
      behaviour,
      detail,
    ],
    answers: false,
  },
  native('go', "Go's `net`", 'go-server', () =>
    build('go', ['build', '-o', `${buildFolder}go-server`, nativeSource('server.go')]),
  ),
  bare('node-write', '`node:net`, `data` and `write`', everything, 'write'),
  bare('node-pipe', '`node:net`, `pipe`', ['echo'], 'pipe'),
];

export function serverTitle(id: ServerId): string {
  return servers.find((server) => server.id === id)?.title ?? id;
}
