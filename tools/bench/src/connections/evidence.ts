import { setTimeout as wait } from 'node:timers/promises';
import type { EpollPortStats } from 'bufferevent-epoll';
import type { ServerProcess } from 'echo/load';
import { GARBAGE_FLAGS } from '../../servers/allocation.mjs';
import { ask } from '../ask.js';
import { pidOf, runLoad, startServer } from './processes.js';
import type { ServerId, ServerKind } from './servers.js';
import { canTrace, traceSystemCalls } from './system-call-trace.js';

/** What ours does and takes for each message of 64 B that 64 connections have echoed, one under way on each. */
export interface Evidence {
  readonly counts: Readonly<Partial<Record<ServerId, Counts>>>;
  readonly traced: Readonly<Partial<Record<ServerId, TracedCounts>>>;
}

/** All for each message, but for calls. */
export interface Counts {
  readonly messages: number;
  /** Allocated on V8's heap and in ArrayBuffers; `null` when V8 collects too soon to tell. */
  readonly garbageBytes: number | null;
  /** As the port counts them, where it does. */
  readonly systemCalls: Readonly<Record<string, number>> | null;
  /** Of JavaScript by the native half, for each `epoll_wait`. */
  readonly callsPerWait: number | null;
}

/** Both counted while `strace` slowed the server down, so that more messages wait at each wake-up. */
export interface TracedCounts {
  readonly messages: number;
  readonly byPort: Readonly<Record<string, number>>;
  readonly byStrace: Readonly<Record<string, number>>;
}

const CONNECTIONS = 64;
const MESSAGE_BYTES = 64;
/** Long enough for V8 to have compiled all of it: what it takes for that is no garbage of messages. */
const WARM_UP_SECONDS = 3;
/** V8 may collect, whatever room it has: then less is allocated while it is watched. */
const SHORTER = [1, 4, 16] as const;
const FEWEST_MESSAGES = 1000;

type PortStats = Omit<EpollPortStats, 'systemCalls' | 'calls'> & Partial<Pick<EpollPortStats, 'systemCalls' | 'calls'>>;

interface Observed {
  readonly before: PortStats;
  readonly after: PortStats;
  readonly allocatedBytes: number | null;
}

export async function measureEvidence(
  present: readonly ServerKind[],
  seconds: number,
  leaveOut: (what: string, why: string) => void,
  log: (line: string) => void,
): Promise<Evidence> {
  const ours = present.filter(({ answers }) => answers);
  const counts: Partial<Record<ServerId, Counts>> = {};
  const traced: Partial<Record<ServerId, TracedCounts>> = {};
  for (const kind of ours) {
    counts[kind.id] = await count(kind, seconds);
    log(`evidence  ${kind.title}: ${JSON.stringify(counts[kind.id])}`);
  }
  if (!canTrace()) leaveOut('System calls as strace counts them', 'strace is not installed');
  else {
    for (const kind of ours.filter(({ id }) => id.startsWith('epoll'))) {
      traced[kind.id] = await trace(kind, seconds);
      log(`evidence  ${kind.title}: ${JSON.stringify(traced[kind.id])}`);
    }
  }
  return { counts, traced };
}

async function count(kind: ServerKind, seconds: number): Promise<Counts> {
  const server = await startServer(kind, 'echo', '', GARBAGE_FLAGS);
  try {
    let observed: Observed | null = null;
    await underLoad(server, 2 * seconds, async () => {
      for (const shorter of SHORTER) {
        observed = await observe(server, seconds / shorter);
        if (observed.allocatedBytes !== null) break;
      }
    });
    return countsOf(observed!);
  } finally {
    server.kill();
  }
}

async function trace(kind: ServerKind, seconds: number): Promise<TracedCounts> {
  const server = await startServer(kind, 'echo', '');
  try {
    let observed: Observed | null = null;
    let byStrace: Record<string, number> = {};
    await underLoad(server, seconds + 2, async () => {
      byStrace = await traceSystemCalls(pidOf(server), async () => {
        const before = await portOf(server);
        await wait(seconds * 1000);
        observed = { before, after: await portOf(server), allocatedBytes: null };
      });
    });
    const { messages, systemCalls } = countsOf(observed!);
    return { messages, byPort: systemCalls ?? {}, byStrace: perMessage(byStrace, messages) };
  } finally {
    server.kill();
  }
}

/** Does it while messages go round. */
async function underLoad(server: ServerProcess, seconds: number, look: () => Promise<void>): Promise<void> {
  const load = runLoad(server, ['exchange', CONNECTIONS, MESSAGE_BYTES, 1, WARM_UP_SECONDS, seconds]);
  const looked = wait(WARM_UP_SECONDS * 1000).then(look);
  await Promise.all([load, looked]);
}

async function observe(server: ServerProcess, seconds: number): Promise<Observed> {
  const { port: before } = await ask<{ port: PortStats }>(server.process, 'start');
  await wait(seconds * 1000);
  const { port: after, allocatedBytes } = await ask<{ port: PortStats; allocatedBytes: number | null }>(
    server.process,
    'stop',
  );
  return { before, after, allocatedBytes };
}

async function portOf(server: ServerProcess): Promise<PortStats> {
  return (await ask<{ port: PortStats }>(server.process, 'count')).port;
}

function countsOf({ before, after, allocatedBytes }: Observed): Counts {
  // A message is received once and sent once: it is small, and alone on its connection.
  const messages = (after.completions - before.completions) / 2;
  if (messages < FEWEST_MESSAGES) throw new Error(`only ${messages} messages were counted`);
  const calls = after.systemCalls;
  const callsBefore = before.systemCalls;
  return {
    messages,
    garbageBytes: allocatedBytes === null ? null : allocatedBytes / messages,
    systemCalls:
      calls === undefined || callsBefore === undefined ? null : perMessage(difference(calls, callsBefore), messages),
    callsPerWait:
      calls === undefined || callsBefore === undefined
        ? null
        : (after.calls! - before.calls!) / (calls.waits - callsBefore.waits),
  };
}

function difference<Name extends string>(
  after: Readonly<Record<Name, number>>,
  before: Readonly<Record<Name, number>>,
): Record<string, number> {
  return Object.fromEntries((Object.keys(after) as Name[]).map((name) => [name, after[name] - before[name]]));
}

function perMessage(counts: Readonly<Record<string, number>>, messages: number): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, value / messages]));
}

export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, value) => total + value, 0);
}
