import type { Judgement } from '../judgement.js';
import { judgeLimit, times } from '../judgement.js';

export type PeerId =
  | 'ours'
  | 'ours-reference'
  | 'ours-engine'
  | 'epoll'
  | 'net'
  | 'c-loop'
  | 'node-duplex'
  | 'node-duplex-window'
  | 'node-tcp'
  | 'node'
  | 'node-plain';

export const peerTitles: Readonly<Record<PeerId, string>> = {
  ours: 'bufferevent-openssl, filters over a pair',
  'ours-reference': 'the same, written by reference, 256 KiB queued',
  'ours-engine': 'its engine alone, what is written copied first',
  epoll: 'bufferevent-openssl on epoll',
  net: 'bufferevent-openssl on net',
  'c-loop': "a loop in C on Node's OpenSSL",
  'node-duplex': 'node:tls, TLSSocket over a Duplex pair',
  'node-duplex-window': 'the same, 256 KiB queued whatever `write()` says',
  'node-tcp': 'node:tls over TCP',
  node: 'node:tls',
  'node-plain': 'node:net, the same without TLS',
};

/** What one of ours must reach of a peer's work for each second of CPU time. */
export interface Requirement {
  readonly judged: PeerId;
  readonly against: PeerId;
  readonly atLeast: number;
}

/** Something that is done again and again, and counted for each second of CPU time. */
export interface Work {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** What is done in the unit. */
  readonly unitSize: number;
  readonly task:
    | { readonly does: 'handshakes'; readonly key: 'ecdsa' | 'rsa' }
    | { readonly does: 'bulk'; readonly writeBytes: number }
    | { readonly does: 'echo'; readonly connections: number; readonly messageBytes: number };
  readonly peers: readonly PeerId[];
  readonly requirements: readonly Requirement[];
}

const KIB = 1024;
const MEGABYTE = 1e6;

function handshakes(key: 'ecdsa' | 'rsa', title: string, requirements: readonly Requirement[]): Work {
  return {
    id: `handshakes-${key}`,
    title: `Handshakes, ${title}, both ends in one process`,
    unit: 'handshakes a CPU second',
    unitSize: 1,
    task: { does: 'handshakes', key },
    peers: ['ours', 'ours-engine', 'c-loop', 'node-duplex', 'node-tcp'],
    requirements,
  };
}

function bulk(writeBytes: number): Work {
  return {
    id: `bulk-${writeBytes}`,
    title: `Bulk in writes of ${writeBytes / KIB} KiB, both ends in one process`,
    unit: 'MB a CPU second',
    unitSize: MEGABYTE,
    task: { does: 'bulk', writeBytes },
    peers: ['ours', 'ours-reference', 'ours-engine', 'c-loop', 'node-duplex', 'node-duplex-window', 'node-tcp'],
    requirements: [
      { judged: 'ours', against: 'node-duplex', atLeast: 4 },
      { judged: 'ours', against: 'c-loop', atLeast: 0.85 },
    ],
  };
}

export const works: readonly Work[] = [
  handshakes('ecdsa', 'ECDSA on P-256', [
    { judged: 'ours', against: 'node-duplex', atLeast: 2 },
    { judged: 'ours', against: 'node-tcp', atLeast: 2 },
    { judged: 'ours', against: 'c-loop', atLeast: 0.85 },
  ]),
  handshakes('rsa', 'RSA of 2,048 bits', []),
  bulk(16 * KIB),
  bulk(64 * KIB),
  {
    id: 'echo',
    title: 'Echo over loopback TCP: 64 connections, messages of 16 KiB',
    unit: 'MB a CPU second of the server',
    unitSize: MEGABYTE,
    task: { does: 'echo', connections: 64, messageBytes: 16 * KIB },
    peers: ['epoll', 'net', 'node', 'c-loop', 'node-plain'],
    requirements: [
      { judged: 'epoll', against: 'node', atLeast: 2 },
      { judged: 'net', against: 'node', atLeast: 1.3 },
    ],
  },
];

/** What is judged first in a table; others are shown in terms of it. */
export function judgedOf({ peers }: Work): PeerId {
  return peers[0]!;
}

/** Small adds, of which records are made. */
export const records = {
  id: 'records',
  title: '1 MiB in adds of 100 bytes',
  addBytes: 100,
  totalBytes: 2 ** 20,
  /** For each 16 KiB. */
  most: 1.05,
} as const;

export type RecordsHow = 'once' | 'welcome';

export const idle = {
  id: 'idle',
  title: 'An idle connection with TLS, beyond a plain one, on epoll',
  mostBytes: 10 * KIB,
} as const;

export type IdleKind = 'plain' | 'tls' | 'node-plain' | 'node-tls';

export const churnWays = ['memory', 'epoll'] as const;
export type ChurnWay = (typeof churnWays)[number];

export const churnTitles: Readonly<Record<ChurnWay, string>> = {
  memory: 'filters over a pair in memory',
  epoll: 'sockets on epoll',
};

/** Of the middle third of the run. */
const MOST_GROWTH = 1.05;

export function churnId(way: ChurnWay): string {
  return `churn-${way}`;
}

export function judgeRatio(ratio: number, atLeast: number): Judgement {
  return { reached: times(ratio), required: `at least ${times(atLeast)}`, holds: ratio >= atLeast };
}

export function judgeRecords(count: number): Judgement {
  return judgeLimit(count / (records.totalBytes / (16 * KIB)), records.most, '', 3);
}

export function judgeIdle(bytes: number): Judgement {
  return judgeLimit(bytes, idle.mostBytes, ' B', 0);
}

export function judgeChurn({ middle, last }: { readonly middle: number; readonly last: number }): Judgement {
  return judgeLimit(last / middle, MOST_GROWTH, '×', 3);
}
