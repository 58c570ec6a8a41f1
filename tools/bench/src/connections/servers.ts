import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Backend } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { netBackend } from 'bufferevent-net';
import { build, buildFolder, compileC, nativeSource } from '../native-program.js';
import type { Behaviour } from './workloads.js';

export type ServerId =
  | 'epoll'
  | 'epoll-no-context'
  | 'workers-1'
  | 'workers-2'
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

const scripts = {
  ours: fileURLToPath(new URL('../../servers/ours.mjs', import.meta.url)),
  bare: fileURLToPath(new URL('../../servers/bare.mjs', import.meta.url)),
  bun: fileURLToPath(new URL('../../servers/bun.mjs', import.meta.url)),
  deno: fileURLToPath(new URL('../../servers/deno.mjs', import.meta.url)),
  workers: fileURLToPath(new URL('../../../../examples/workers-echo/dist/main.js', import.meta.url)),
};

/** Why it can't be done, in one line. */
function whyNot(find: () => void): string | null {
  try {
    find();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0]! : String(error);
  }
}

function ours(id: ServerId, title: string, backend: Backend, context: 'context' | 'no-context'): ServerKind {
  return {
    id,
    title,
    behaviours: everything,
    prepare: () => backend.unavailabilityReason(),
    command: (behaviour, detail, flags) => [
      process.execPath,
      ...flags,
      scripts.ours,
      backend.name,
      context,
      behaviour,
      detail,
    ],
    answers: true,
  };
}

function workers(id: ServerId, title: string, count: number): ServerKind {
  return {
    id,
    title,
    behaviours: ['workers'],
    prepare: () => epollBackend.unavailabilityReason(),
    command: (_behaviour, _detail, flags) => [process.execPath, ...flags, scripts.workers, '0', String(count)],
    answers: false,
  };
}

function bare(id: ServerId, title: string, behaviours: readonly Behaviour[], echo: string): ServerKind {
  return {
    id,
    title,
    behaviours,
    prepare: () => null,
    command: (behaviour, detail, flags) => [
      process.execPath,
      ...flags,
      scripts.bare,
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
  return fileURLToPath(new URL('bin/bun.exe', import.meta.resolve('bun/package.json')));
}

function denoProgram(): string {
  return fileURLToPath(new URL('deno', import.meta.resolve('deno/package.json')));
}

/** In the order of the tables. */
export const servers: readonly ServerKind[] = [
  ours('epoll', 'bufferevent on epoll', epollBackend, 'context'),
  ours('epoll-no-context', 'bufferevent on epoll, `asyncContext: false`', epollBackend, 'no-context'),
  workers('workers-1', 'bufferevent on epoll, 1 worker', 1),
  workers('workers-2', 'bufferevent on epoll, 2 workers', 2),
  ours('net', 'bufferevent on net', netBackend, 'context'),
  native('c-loop', 'bare epoll loop in C', 'epoll-server', () => compileC('epoll-server')),
  native('libevent', 'libevent in C', 'libevent-server', () => compileC('libevent-server', ['event_core'])),
  {
    id: 'bun',
    title: '`Bun.listen`',
    behaviours: allButFile,
    prepare: () => whyNot(() => execFileSync(bunProgram(), ['--version'])),
    command: (behaviour, detail) => [bunProgram(), scripts.bun, behaviour, detail],
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
      scripts.deno,
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
