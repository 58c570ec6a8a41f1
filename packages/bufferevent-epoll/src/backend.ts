import { type Backend, BackendError, type BackendSupports, type CompletionSink } from 'bufferevent-backend';
import { findBinding } from './binding.js';
import { EpollPort, type EpollPortOptions } from './port.js';

const supports: BackendSupports = Object.freeze({
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
  socketFiles: true,
  reusePort: true,
  deferAccept: true,
  streamOptions: Object.freeze(['noDelay', 'keepAlive', 'recvBufferSize', 'sendBufferSize'] as const),
});

/** The Linux backend: TCP and Unix-domain sockets over epoll, with a native addon. Importing it never throws. */
export const epollBackend: Backend<EpollPortOptions> = Object.freeze({
  name: 'epoll',
  supports,
  isAvailable: (): boolean => 'binding' in findBinding(),
  unavailabilityReason: (): string | null => {
    const found = findBinding();
    return 'reason' in found ? found.reason : null;
  },
  createPort: (sink: CompletionSink, options?: EpollPortOptions): EpollPort => {
    const found = findBinding();
    if ('reason' in found) throw new BackendError('ERR_BACKEND_UNSUPPORTED', `epoll is not available: ${found.reason}`);
    return new EpollPort(epollBackend, found.binding, sink, options);
  },
});
