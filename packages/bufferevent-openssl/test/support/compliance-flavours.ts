// Which kinds of bufferevent the suite for every kind is run over.
import { type Flavour, socketFlavour } from 'bufferevent/compliance';
import type { Backend } from 'bufferevent-backend';
import { createMemoryBackend, type FaultPlan, MemoryNetwork, withFaults } from 'bufferevent-backend/memory';
import { netBackend } from 'bufferevent-net';
import { type Held, plainPairs, tlsFilters, tlsSockets, upgraded } from './flavours.js';
import { nativeBackends, systemBackends } from './system-backends.js';
import type { Version } from './versions.js';

const KiB = 1024;
const nightly = process.env['NIGHTLY'] === '1';
/** Filters take a single byte at a time through everything that lies below them, and a machine may have other things to do. */
export const patienceMs: number = nightly ? 200_000 : 50_000;

/** Without files of its own, so that real ones can be sent. */
const memory = (capacity: number) =>
  createMemoryBackend(new MemoryNetwork({ capacity }), { supports: { sendFile: false } });

const memorySockets = socketFlavour('sockets in memory', {
  createBackend: () => memory(16 * KiB),
  files: true,
  transitBytes: 64 * KiB,
  scripts: 100,
});

function faultySockets(name: string, plan: FaultPlan, bulkBytes: number): Flavour {
  return socketFlavour(`sockets in memory with ${name}`, {
    createBackend: () => withFaults(memory(2 * KiB), plan),
    files: true,
    bulkBytes,
    transitBytes: 4 * KiB,
    scripts: 6,
    timeoutMs: patienceMs,
  });
}

const shortSends = faultySockets('short reads and writes', { maxRecv: 37, maxSend: 50, delay: 1 }, 20_000);
const singleBytes = faultySockets('one-byte reads', { maxRecv: 1, maxSend: 7 }, 6_400);

const socketsOver = (backend: Backend): Flavour =>
  socketFlavour(`sockets over ${backend.name}`, {
    createBackend: () => backend,
    manualClock: false,
    files: true,
    timeoutMs: patienceMs,
  });

const systemSockets = systemBackends.map(socketsOver);

type Kind = (below: Flavour, version: Version, held?: Held) => Flavour;
const kinds: readonly Kind[] = [tlsFilters, tlsSockets, upgraded];

/** Where bytes move slowly, few of them can be on their way: the mark of an output, and a record or two. */
const slowKinds: readonly Kind[] = kinds.map(
  (kind) => (below, version) => kind(below, version, { heldBytes: 112 * KiB }),
);

const everywhere = (flavours: readonly Flavour[], chosen: readonly Kind[], version: Version): Flavour[] =>
  flavours.flatMap((below) => chosen.map((kind) => kind(below, version)));

/** All kinds over memory; of the others what differs most. All of everything under NIGHTLY. */
export function complianceFlavours(version: Version): Flavour[] {
  const [, slowSockets] = slowKinds as [Kind, Kind];
  return [
    tlsFilters(plainPairs, version),
    ...everywhere([memorySockets], kinds, version),
    ...everywhere([shortSends], nightly ? slowKinds : [slowSockets], version),
    ...everywhere([singleBytes], nightly ? slowKinds : [slowSockets], version),
    ...everywhere(systemSockets, nightly ? kinds : [tlsSockets], version),
  ];
}

/** For runners and systems that come second: filters and sockets over what is there everywhere. */
export function portableFlavours(version: Version): Flavour[] {
  return everywhere([memorySockets, socketsOver(netBackend)], [tlsFilters, tlsSockets], version);
}

/** The same over what is written for this system. */
export function nativeFlavours(version: Version): Flavour[] {
  return everywhere(nativeBackends.map(socketsOver), [tlsFilters, tlsSockets], version);
}
