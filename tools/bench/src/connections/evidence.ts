import { setTimeout as wait } from 'node:timers/promises';
import type { PortStats } from 'bufferevent-backend';
import type { EpollPortStats } from 'bufferevent-epoll';
import type { ServerProcess } from 'echo/load';
import { GARBAGE_FLAGS } from '../../servers/allocation.mjs';
import { ask } from '../ask.js';
import { canProfile, type Part, profile } from './perf-profile.js';
import { type Load, pidOf, runLoad, startServer } from './processes.js';
import { limit, ours } from './requirement.js';
import type { ServerId, ServerKind } from './servers.js';
import { canTrace, traceSystemCalls } from './system-call-trace.js';
import { type ExchangeTask, workloads } from './workloads.js';

/** What ours does and takes for each message. Counts are of messages of 64 B that 64 connections have echoed, one under way on each. */
export interface Evidence {
  readonly counts: Readonly<Partial<Record<ServerId, Counts>>>;
  readonly traced: Readonly<Partial<Record<ServerId, TracedCounts>>>;
  /** By the id of the work. */
  readonly profiled: Readonly<Record<string, ProfiledServers>>;
}

export type ProfiledServers = Readonly<Partial<Record<ServerId, ProfiledTime>>>;

/** All for each message, but for calls. */
export interface Counts {
  readonly messages: number;
  /** Allocated on V8's heap and in ArrayBuffers; `null` when V8 collects too soon to tell. */
  readonly garbageBytes: number | null;
  /** As the port counts them, where it does. */
  readonly systemCalls: Readonly<Record<string, number>> | null;
  /** Between JavaScript and the native half, by direction, for each `epoll_wait`. */
  readonly callsPerWait: Readonly<Record<string, number>> | null;
}

/** Both counted while `strace` slowed the server down, so that more messages wait at each wake-up. */
export interface TracedCounts {
  readonly messages: number;
  readonly byPort: Readonly<Record<string, number>>;
  readonly byStrace: Readonly<Record<string, number>>;
}

/** CPU time while `perf` looked, and which part of it goes where. */
export interface ProfiledTime {
  readonly cpuMicroseconds: number;
  readonly shares: Readonly<Record<Part, number>>;
}

/** Ours, and the limit that it is measured against. */
const toProfile: readonly ServerId[] = [ours, limit];

const counted: ExchangeTask = { does: 'exchange', connections: 64, bytes: 64, depth: 1 };
/** Long enough for V8 to have compiled all of it: what it takes for that is no garbage of messages. */
const WARM_UP_SECONDS = 3;
/** V8 may collect, whatever room it has: then less is allocated while it is watched. */
const SHORTER = [1, 4, 16] as const;
const FEWEST_MESSAGES = 1000;

type AnyPortStats = PortStats | EpollPortStats;

interface Observed {
  readonly before: AnyPortStats;
  readonly after: AnyPortStats;
  readonly allocatedBytes: number | null;
}

export async function measureEvidence(
  present: readonly ServerKind[],
  seconds: number,
  leaveOut: (what: string, why: string) => void,
  log: (line: string) => void,
): Promise<Evidence> {
  const answering = present.filter(({ answers }) => answers);
  const counts: Partial<Record<ServerId, Counts>> = {};
  const traced: Partial<Record<ServerId, TracedCounts>> = {};
  for (const kind of answering) {
    counts[kind.id] = await count(kind, seconds);
    log(`evidence  ${kind.title}: ${JSON.stringify(counts[kind.id])}`);
  }
  if (!canTrace()) leaveOut('System calls as strace counts them', 'strace is not installed');
  else {
    for (const kind of answering.filter(({ id }) => id.startsWith('epoll'))) {
      traced[kind.id] = await trace(kind, seconds);
      log(`evidence  ${kind.title}: ${JSON.stringify(traced[kind.id])}`);
    }
  }
  const profiled: Record<string, ProfiledServers> = {};
  if (!canProfile()) leaveOut('Where CPU time goes', 'perf is not installed');
  else {
    for (const { id, title, task, requirements } of workloads) {
      if (task.does !== 'exchange' || !requirements.some(({ against }) => against === limit)) continue;
      const times: Partial<Record<ServerId, ProfiledTime>> = {};
      for (const kind of present.filter((each) => toProfile.includes(each.id))) {
        try {
          times[kind.id] = await profileTime(kind, task, seconds);
          log(`evidence  ${id}  ${kind.title}: ${JSON.stringify(times[kind.id])}`);
        } catch (error) {
          leaveOut(
            `Where CPU time goes, ${title}, ${kind.title}`,
            error instanceof Error ? error.message : String(error),
          );
        }
      }
      profiled[id] = times;
    }
  }
  return { counts, traced, profiled };
}

async function count(kind: ServerKind, seconds: number): Promise<Counts> {
  const server = await startServer(kind, 'echo', '', GARBAGE_FLAGS);
  try {
    let observed: Observed | null = null;
    await underLoad(server, counted, 2 * seconds, async () => {
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
    await underLoad(server, counted, seconds + 2, async () => {
      byStrace = await traceSystemCalls(pidOf(server), async () => {
        const before = await portOf(server);
        await wait(seconds * 1000);
        observed = { before, after: await portOf(server), allocatedBytes: null };
      });
    });
    const { messages, systemCalls } = countsOf(observed!);
    return { messages, byPort: systemCalls ?? {}, byStrace: divided(byStrace, messages) };
  } finally {
    server.kill();
  }
}

async function profileTime(kind: ServerKind, task: ExchangeTask, seconds: number): Promise<ProfiledTime> {
  const server = await startServer(kind, 'echo', '');
  try {
    const [program] = kind.command('echo', '', []);
    let shares: Record<Part, number> | null = null;
    const { messages, serverUserSeconds, serverSystemSeconds } = await underLoad(
      server,
      task,
      seconds + 1,
      async () => {
        shares = await profile(pidOf(server), program, seconds);
      },
    );
    return { cpuMicroseconds: ((serverUserSeconds + serverSystemSeconds) * 1e6) / messages, shares: shares! };
  } finally {
    server.kill();
  }
}

/** Does it while messages go round. */
async function underLoad(
  server: ServerProcess,
  { connections, bytes, depth }: ExchangeTask,
  seconds: number,
  look: () => Promise<void>,
): Promise<Load> {
  const load = runLoad(server, ['exchange', connections, bytes, depth, WARM_UP_SECONDS, seconds]);
  const looked = wait(WARM_UP_SECONDS * 1000).then(look);
  const [result] = await Promise.all([load, looked]);
  return result;
}

async function observe(server: ServerProcess, seconds: number): Promise<Observed> {
  const { port: before } = await ask<{ port: AnyPortStats }>(server.process, 'start');
  await wait(seconds * 1000);
  const { port: after, allocatedBytes } = await ask<{ port: AnyPortStats; allocatedBytes: number | null }>(
    server.process,
    'stop',
  );
  return { before, after, allocatedBytes };
}

async function portOf(server: ServerProcess): Promise<AnyPortStats> {
  return (await ask<{ port: AnyPortStats }>(server.process, 'count')).port;
}

function countsOf({ before, after, allocatedBytes }: Observed): Counts {
  // A message is received once and sent once: it is small, and alone on its connection.
  const messages = (after.completions - before.completions) / 2;
  if (messages < FEWEST_MESSAGES) throw new Error(`only ${messages} messages were counted`);
  const counts = { messages, garbageBytes: allocatedBytes === null ? null : allocatedBytes / messages };
  if (!('systemCalls' in before && 'systemCalls' in after)) return { ...counts, systemCalls: null, callsPerWait: null };
  const systemCalls = difference(after.systemCalls, before.systemCalls);
  return {
    ...counts,
    systemCalls: divided(systemCalls, messages),
    callsPerWait: divided(difference(callsOf(after), callsOf(before)), systemCalls.waits),
  };
}

function callsOf({ calls, nativeCalls }: EpollPortStats): Record<'into JavaScript' | 'into the addon', number> {
  return { 'into JavaScript': calls, 'into the addon': nativeCalls };
}

function difference<Name extends string>(
  after: Readonly<Record<Name, number>>,
  before: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const names = Object.keys(after) as Name[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Record<Name, number>;
}

function divided(counts: Readonly<Record<string, number>>, by: number): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, value / by]));
}

export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, value) => total + value, 0);
}
