import type { Backend, CompletionSink, Port, PortOptions } from '../contract.js';
import { argumentTypeError } from '../errors.js';
import type { BackendSupports } from '../supports.js';
import { MemoryNetwork, worldOf } from './memory-network.js';
import { MemoryPort } from './memory-port.js';

export interface MemoryBackendOptions {
  /** Default `memory`. */
  readonly name?: string;
  /**
   * Makes a lesser backend: whatever is switched off here really stops working, as on a mechanism without it
   * (`readAhead` and `acceptAhead` let that much more pass before the peer feels anything).
   */
  readonly supports?: Partial<Omit<BackendSupports, 'idleMemory' | 'socketFiles' | 'deferAccept'>>;
  /**
   * When a send completes: `short` as soon as something was taken (as readiness mechanisms do, the default), `whole`
   * when everything was, or it failed or was cancelled (as completion ports do). Memory is read only as it is taken.
   */
  readonly sends?: 'short' | 'whole';
  /**
   * As a native backend: memory that was not registered is copied when the send is submitted. Default false: all memory
   * is read in place until completion, so that a caller who rewrites what it lent (C4) sends visible garbage.
   */
  readonly strictMemory?: boolean;
}

/** The memory backend; its ports meet each other in {@link MemoryBackend.network}. */
export interface MemoryBackend extends Backend {
  readonly network: MemoryNetwork;
}

const supports: BackendSupports = {
  readAhead: 0,
  idleMemory: 0,
  acceptAhead: 0,
  acceptErrors: true,
  readAfterWriteError: true,
  cancelSend: true,
  sendFile: true,
  descriptors: true,
  registeredMemory: true,
  peerClose: true,
  paths: true,
  socketFiles: false,
  reusePort: true,
  deferAccept: false,
  streamOptions: ['noDelay', 'keepAlive', 'recvBufferSize', 'sendBufferSize'],
};

/**
 * Makes a backend without any mechanism below: ports of backends on one network connect to each other, deterministically
 * and in memory. It obeys every rule of the contract and supports everything but `socketFiles` (its paths are no files)
 * and `deferAccept`.
 *
 * @param network where its ports live; a network of its own by default
 */
export function createMemoryBackend(
  network: MemoryNetwork = new MemoryNetwork(),
  options: MemoryBackendOptions = {},
): MemoryBackend {
  if (!(network instanceof MemoryNetwork)) throw argumentTypeError('network', 'a MemoryNetwork', network);
  const world = worldOf(network);
  const manner = { sendsWhole: options.sends === 'whole', strictMemory: options.strictMemory === true };
  const backend: MemoryBackend = {
    name: options.name ?? 'memory',
    supports: Object.freeze({ ...supports, ...options.supports }),
    network,
    isAvailable: () => true,
    unavailabilityReason: () => null,
    createPort(sink: CompletionSink, portOptions: PortOptions = {}): Port {
      if (typeof sink !== 'function') throw argumentTypeError('sink', 'a function', sink);
      return new MemoryPort(backend, world, manner, sink, portOptions);
    },
  };
  return backend;
}
