import { iocpBackend } from 'bufferevent-iocp';

/** What child processes and workers of the compliance suite import (C16): plain JavaScript, on the built package. */
export function createHarness() {
  return { backend: iocpBackend, listenAddress: () => ({ ip: '127.0.0.1', port: 0 }) };
}
