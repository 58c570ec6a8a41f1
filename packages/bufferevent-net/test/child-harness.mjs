import { netBackend } from 'bufferevent-net';

/** What child processes and workers of the compliance suite import (C16): plain JavaScript, on the built package. */
export function createHarness() {
  return { backend: netBackend, listenAddress: () => ({ ip: '127.0.0.1', port: 0 }) };
}
