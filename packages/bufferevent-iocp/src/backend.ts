import { type Backend, BackendError, type BackendSupports, type CompletionSink } from 'bufferevent-backend';
import { findBinding } from './binding.js';
import { IocpPort, type IocpPortOptions } from './port.js';

const supports: BackendSupports = Object.freeze({
  readAhead: 0,
  idleMemory: 0,
  acceptAhead: 0,
  acceptErrors: true,
  // Windows itself throws away what was not read when a reset arrives.
  readAfterWriteError: false,
  cancelSend: true,
  sendFile: true,
  descriptors: true,
  registeredMemory: true,
  peerClose: true,
  // ConnectEx knows no sockets of the Unix domain.
  paths: false,
  socketFiles: false,
  // Windows has one option for it, which lets a stranger take connections away, and none that shares them.
  reusePort: false,
  deferAccept: false,
  streamOptions: Object.freeze(['noDelay', 'keepAlive', 'recvBufferSize', 'sendBufferSize'] as const),
});

/** The Windows backend: TCP sockets over I/O completion ports, with a native addon. Importing it never throws. */
export const iocpBackend: Backend<IocpPortOptions> = Object.freeze({
  name: 'iocp',
  supports,
  isAvailable: (): boolean => 'binding' in findBinding(),
  unavailabilityReason: (): string | null => {
    const found = findBinding();
    return 'reason' in found ? found.reason : null;
  },
  createPort: (sink: CompletionSink, options?: IocpPortOptions): IocpPort => {
    const found = findBinding();
    if ('reason' in found) throw new BackendError('ERR_BACKEND_UNSUPPORTED', `iocp is not available: ${found.reason}`);
    return new IocpPort(iocpBackend, found.binding, sink, options);
  },
});
