// The suite for every kind of bufferevent, over the kinds of this package. A new kind is one entry of `flavours`.
import { buffereventCompliance, type Flavour, socketFlavour } from 'bufferevent/compliance';
import { createMemoryBackend, MemoryNetwork, withFaults } from 'bufferevent-backend/memory';
import { describe, it } from 'vitest';
import { covered, pairFlavour, passingFilter, turningFilter } from './support/compliance-flavours.js';
import { sockets, systemBackends } from './support/system-backends.js';

const KiB = 1024;

/** Without files of its own, so that real ones can be sent. */
const memory = (capacity: number) =>
  createMemoryBackend(new MemoryNetwork({ capacity }), { supports: { sendFile: false } });

const memorySockets = socketFlavour('sockets in memory', {
  createBackend: () => memory(16 * KiB),
  files: true,
  transitBytes: 64 * KiB,
  scripts: 100,
});

const faultySockets = socketFlavour('sockets in memory with faults', {
  createBackend: () => withFaults(memory(2 * KiB), { maxRecv: 37, maxSend: 50, delay: 1 }),
  files: true,
  bulkBytes: 20_000,
  transitBytes: 4 * KiB,
  timeoutMs: 20_000,
});

const flavours: readonly Flavour[] = [
  memorySockets,
  faultySockets,
  ...sockets.map((name) => {
    const createBackend = () => systemBackends[name];
    return socketFlavour(`sockets over ${name}`, { createBackend, manualClock: false, files: true });
  }),
  pairFlavour,
  covered('filters that pass on', memorySockets, passingFilter),
  covered('filters that change bytes', memorySockets, turningFilter),
  covered('filters', pairFlavour, turningFilter),
  covered('filters over filters', pairFlavour, (bev) => turningFilter(turningFilter(bev))),
];

/** The suite has time-outs of its own, for each step. */
const patientIt = (name: string, body: () => Promise<void>): void => it(name, body, 60_000);

for (const flavour of flavours) buffereventCompliance({ describe, it: patientIt }, flavour);
