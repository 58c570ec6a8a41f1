import type { Backend } from 'bufferevent-backend';
import { createMemoryBackend, type MemoryBackendOptions, MemoryNetwork } from 'bufferevent-backend/memory';
import type { Harness } from './harness.js';

export interface MemoryHarnessOptions extends MemoryBackendOptions {
  /** Puts a decorator over the backend: faults, a trace, or a broken rule. */
  readonly decorate?: (backend: Backend) => Backend;
  readonly timeoutMs?: number;
  /** Module for child processes, when it is not this one; `null` leaves the cases about processes out. */
  readonly childModule?: string | null;
  readonly maxStreams?: number;
  readonly bulkBytes?: number;
}

const CAPACITY = 65_536;

/** The memory backend on a network of its own, with every hook that it can serve. */
export function createMemoryHarness(options: MemoryHarnessOptions = {}): Harness {
  const { decorate, timeoutMs, maxStreams, bulkBytes, childModule = import.meta.url, ...backendOptions } = options;
  const network = new MemoryNetwork({ capacity: CAPACITY });
  const memory = createMemoryBackend(network, backendOptions);
  let paths = 0;
  return {
    backend: decorate === undefined ? memory : decorate(memory),
    listenAddress: () => ({ ip: '127.0.0.1', port: 0 }),
    ipv6Address: () => ({ ip: '::1', port: 0 }),
    pathAddress: () => ({ address: { path: `/memory/${++paths}` }, cleanup: () => undefined }),
    localAddress: () => ({ ip: '127.0.0.2', port: 0 }),
    foreignAddress: () => ({ ip: '192.0.2.1', port: 0 }),
    exhaustDescriptors() {
      network.descriptorLimit = network.openDescriptors;
      return {
        restore: () => {
          network.descriptorLimit = Number.POSITIVE_INFINITY;
        },
      };
    },
    socketPair: () => network.socketPair(),
    openFile(bytes) {
      const descriptor = network.openFile(bytes);
      return { descriptor, close: () => network.closeDescriptor(descriptor) };
    },
    ...(childModule === null ? {} : { childModule }),
    ...(maxStreams === undefined ? {} : { maxStreams }),
    ...(bulkBytes === undefined ? {} : { bulkBytes }),
    systemBufferBytes: 2 * CAPACITY,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

/** What child processes call. */
export function createHarness(): Harness {
  return createMemoryHarness();
}
