import type { Backend, BackendSupports, CompletionSink, Port } from 'bufferevent-backend';
import { ACCEPT_AHEAD } from './net-listener.js';
import { NetPort, type NetPortOptions } from './net-port.js';
import { CHUNK_BYTES } from './net-stream.js';
import { hasReusePort } from './reuse-port.js';
import { hasSocketFiles } from './socket-file.js';

const supports: BackendSupports = Object.freeze({
  // One chunk that arrived before the socket was paused, one that fills its stream buffer after that.
  readAhead: 2 * CHUNK_BYTES,
  // libuv asks for memory when there is something to read.
  idleMemory: 0,
  acceptAhead: ACCEPT_AHEAD,
  acceptErrors: false,
  readAfterWriteError: false,
  cancelSend: false,
  sendFile: false,
  descriptors: false,
  registeredMemory: false,
  peerClose: false,
  paths: true,
  socketFiles: hasSocketFiles,
  reusePort: hasReusePort(process.versions.node, process.platform),
  deferAccept: false,
  streamOptions: Object.freeze(['noDelay', 'keepAlive'] as const),
});

/**
 * The portable backend: TCP and Unix-domain sockets over `node:net`. Available everywhere,
 * without native code. What `node:net` cannot do stands in `supports`; the README says what happens instead.
 */
export const netBackend: Backend<NetPortOptions> = Object.freeze({
  name: 'net',
  supports,
  isAvailable: (): boolean => true,
  unavailabilityReason: (): string | null => null,
  createPort: (sink: CompletionSink, options?: NetPortOptions): Port => new NetPort(netBackend, sink, options),
});
