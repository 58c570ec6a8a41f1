import type { Task } from './workloads.js';

/** What is measured of a server in one round; which of them, depends on the work. */
export type Figure =
  | 'messagesPerSecond'
  | 'megabytesPerSecond'
  | 'p50Microseconds'
  | 'p99Microseconds'
  | 'p999Microseconds'
  | 'userMicroseconds'
  | 'systemMicroseconds'
  | 'cpuMicroseconds'
  /** Of the CPU time of server and load together. */
  | 'messagesPerCpuSecond'
  | 'serverPercent'
  | 'loadPercent'
  | 'residentBytes'
  | 'fewestConnections'
  | 'mostConnections';

export type Sample = Readonly<Partial<Record<Figure, number>>>;

/** The columns of a work's table; the first one is what servers are compared by. CPU time is that of a message or of a MB. */
export function figuresOf(task: Task): readonly Figure[] {
  switch (task.does) {
    case 'exchange':
    case 'lines':
      return [
        task.bytes < 65_536 ? 'messagesPerSecond' : 'megabytesPerSecond',
        task.bytes < 65_536 ? 'megabytesPerSecond' : 'messagesPerSecond',
        'p50Microseconds',
        'p99Microseconds',
        'p999Microseconds',
        'userMicroseconds',
        'systemMicroseconds',
        'serverPercent',
        'loadPercent',
      ];
    case 'share':
      return [
        'messagesPerSecond',
        'messagesPerCpuSecond',
        'userMicroseconds',
        'systemMicroseconds',
        'p50Microseconds',
        'p99Microseconds',
        'serverPercent',
        'loadPercent',
        'fewestConnections',
        'mostConnections',
      ];
    case 'upload':
    case 'download':
      return ['megabytesPerSecond', 'userMicroseconds', 'systemMicroseconds', 'serverPercent', 'loadPercent'];
    case 'hold':
      return ['residentBytes'];
  }
}

export const figureTitles: Readonly<Record<Figure, string>> = {
  messagesPerSecond: 'messages/s',
  megabytesPerSecond: 'MB/s',
  p50Microseconds: 'p50, µs',
  p99Microseconds: 'p99, µs',
  p999Microseconds: 'p99.9, µs',
  userMicroseconds: 'user CPU, µs',
  systemMicroseconds: 'system CPU, µs',
  cpuMicroseconds: 'CPU, µs',
  messagesPerCpuSecond: 'messages a CPU second',
  serverPercent: 'server, % of a core',
  loadPercent: 'load, % of a core',
  residentBytes: 'resident bytes a connection',
  fewestConnections: 'connections of a worker, fewest',
  mostConnections: 'most',
};

export function show(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 1 : 2);
}
