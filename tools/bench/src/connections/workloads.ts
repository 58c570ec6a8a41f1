import type { Requirement } from './requirement.js';

export type Task =
  /** Each connection keeps `depth` messages under way, and gets each of them back; from workers when it says `share`. */
  | {
      readonly does: 'exchange' | 'lines' | 'share';
      readonly connections: number;
      readonly bytes: number;
      readonly depth: number;
    }
  /** One connection, one way, and the end. `download` comes out of memory or out of a file. */
  | { readonly does: 'upload' }
  | { readonly does: 'download'; readonly from: 'memory' | 'file' }
  | { readonly does: 'hold'; readonly connections: number };

/** Messages of connections that stay. */
export type ExchangeTask = Extract<Task, { depth: number }>;

/** What a server is started as. */
export type Behaviour = 'echo' | 'lines' | 'sink' | 'source' | 'file' | 'workers';

export interface Workload {
  readonly id: string;
  readonly title: string;
  readonly task: Task;
  readonly requirements: readonly Requirement[];
}

export function behaviourFor(task: Task): Behaviour {
  switch (task.does) {
    case 'exchange':
    case 'hold':
      return 'echo';
    case 'lines':
      return 'lines';
    case 'share':
      return 'workers';
    case 'upload':
      return 'sink';
    case 'download':
      return task.from === 'memory' ? 'source' : 'file';
  }
}

function exchange(
  connections: number,
  bytes: number,
  depth: number,
  id: string,
  requirements: readonly Requirement[] = [],
): Workload {
  const under = depth === 1 ? '' : `, ${depth} under way on each`;
  return {
    id,
    title: `Echo: ${traffic(connections, bytes)}${under}`,
    task: { does: 'exchange', connections, bytes, depth },
    requirements,
  };
}

function share(connections: number, bytes: number, id: string): Workload {
  return {
    id,
    title: `Workers on one port: ${traffic(connections, bytes)}`,
    task: { does: 'share', connections, bytes, depth: 1 },
    requirements: [],
  };
}

function traffic(connections: number, bytes: number): string {
  const size = bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`;
  const who = connections === 1 ? '1 connection' : `${connections.toLocaleString('en')} connections`;
  return `${who}, messages of ${size}`;
}

const lessUserTime: readonly Requirement[] = [
  { figure: 'userMicroseconds', against: 'node-write', atMost: 0.25 },
  { figure: 'userMicroseconds', against: 'libevent', atMost: 1 },
];

/** With the requirements on what `ours` of `requirement.ts` reaches. */
export const workloads: readonly Workload[] = [
  exchange(1, 64, 1, 'echo-1'),
  exchange(64, 64, 1, 'echo-64', [
    { figure: 'messagesPerSecond', against: 'c-loop', atLeast: 0.95 },
    { figure: 'messagesPerSecond', against: 'bun', atLeast: 1 },
    { figure: 'messagesPerSecond', against: 'node-write', atLeast: 1.9 },
    { figure: 'messagesPerSecond', against: 'libevent', atLeast: 2 },
    ...lessUserTime,
  ]),
  exchange(1000, 64, 1, 'echo-1000', [
    { figure: 'messagesPerSecond', against: 'c-loop', atLeast: 0.9 },
    { figure: 'messagesPerSecond', against: 'bun', atLeast: 1 },
    { figure: 'messagesPerSecond', against: 'node-write', atLeast: 1.5 },
    { figure: 'messagesPerSecond', against: 'libevent', atLeast: 1.4 },
    ...lessUserTime,
  ]),
  exchange(10_000, 64, 1, 'echo-10000'),
  exchange(64, 1024, 16, 'echo-deep', [
    { figure: 'messagesPerSecond', against: 'c-loop', atLeast: 0.85 },
    { figure: 'messagesPerSecond', against: 'bun', atLeast: 2 },
    { figure: 'messagesPerSecond', against: 'node-write', atLeast: 2.2 },
    { figure: 'messagesPerSecond', against: 'libevent', atLeast: 5 },
  ]),
  exchange(16, 65_536, 4, 'echo-large', [
    { figure: 'megabytesPerSecond', against: 'c-loop', atLeast: 0.9 },
    { figure: 'megabytesPerSecond', against: 'bun', atLeast: 0.95 },
    { figure: 'megabytesPerSecond', against: 'node-write', atLeast: 1.3 },
    { figure: 'megabytesPerSecond', against: 'libevent', atLeast: 4 },
  ]),
  {
    id: 'lines',
    title: 'Line protocol: 64 connections, lines of 40 bytes, 16 under way on each',
    task: { does: 'lines', connections: 64, bytes: 40, depth: 16 },
    requirements: [],
  },
  share(64, 64, 'workers-64'),
  share(1000, 64, 'workers-1000'),
  { id: 'upload', title: 'One way: a client sends', task: { does: 'upload' }, requirements: [] },
  {
    id: 'download',
    title: 'One way: the server sends memory',
    task: { does: 'download', from: 'memory' },
    requirements: [],
  },
  {
    id: 'file',
    title: 'One way: the server sends a file',
    task: { does: 'download', from: 'file' },
    requirements: [{ figure: 'cpuMicroseconds', against: 'node-write', atMost: 0.25 }],
  },
  {
    id: 'idle',
    title: 'Idle: 10,000 connections that have sent nothing',
    task: { does: 'hold', connections: 10_000 },
    requirements: [{ figure: 'residentBytes', against: 'node-write', atMost: 1 / 3 }],
  },
];
