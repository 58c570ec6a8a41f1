import {
  type Backend,
  BackendError,
  type BackendSupports,
  type CompletionSink,
  checkInteger,
} from 'bufferevent-backend';
import { findBinding } from './binding.js';
import { IocpPort, type IocpPortOptions } from './port.js';

const MAX_THREADS = 64;

const supportsBesideFiles: Omit<BackendSupports, 'sendFile'> = {
  readAhead: 0,
  // Where short messages have come.
  idleMemory: 512,
  acceptAhead: 0,
  acceptErrors: true,
  // Windows itself throws away what was not read when a reset arrives.
  readAfterWriteError: false,
  cancelSend: true,
  descriptors: true,
  registeredMemory: true,
  // Behind bytes that nobody has read, Windows tells the end of a peer to undocumented calls only.
  peerClose: false,
  // ConnectEx knows no sockets of the Unix domain.
  paths: false,
  socketFiles: false,
  // Windows has one option for it, which lets a stranger take connections away, and none that shares them.
  reusePort: false,
  deferAccept: false,
  streamOptions: Object.freeze(['noDelay', 'keepAlive', 'recvBufferSize', 'sendBufferSize'] as const),
};

let supports: BackendSupports | undefined;

/**
 * Client editions of Windows work at two calls of TransmitFile at once in the whole system, and let all others wait: two peers
 * that do not read would stop the files of everybody.
 */
function supportsHere(): BackendSupports {
  const found = findBinding();
  const sendFile = 'binding' in found && found.binding.isServerEdition();
  supports ??= Object.freeze({ ...supportsBesideFiles, sendFile });
  return supports;
}

export interface IocpBackendOptions {
  /**
   * Threads of each port that wait for the system, 1 to 64. Default 1. They only carry what has finished to the thread of
   * JavaScript; each stream stays in order with any number of them (C3).
   */
  readonly threads?: number;
}

/**
 * The Windows backend, with options.
 *
 * @throws RangeError or TypeError for a number of threads that is out of range, or none
 */
export function createIocpBackend(options: IocpBackendOptions = {}): Backend {
  const { threads = 1 } = options;
  checkInteger('options.threads', threads, 1, MAX_THREADS);
  const backend: Backend = Object.freeze({
    name: 'iocp',
    // When it is asked for: importing loads no addon.
    get supports(): BackendSupports {
      return supportsHere();
    },
    isAvailable: (): boolean => 'binding' in findBinding(),
    unavailabilityReason: (): string | null => {
      const found = findBinding();
      return 'reason' in found ? found.reason : null;
    },
    createPort: (sink: CompletionSink, portOptions?: IocpPortOptions): IocpPort => {
      const found = findBinding();
      if ('reason' in found)
        throw new BackendError('ERR_BACKEND_UNSUPPORTED', `iocp is not available: ${found.reason}`);
      return new IocpPort(backend, found.binding, threads, sink, portOptions);
    },
  });
  return backend;
}

/** The Windows backend: TCP sockets over I/O completion ports, with a native addon. Importing it never throws. */
export const iocpBackend: Backend = createIocpBackend();
