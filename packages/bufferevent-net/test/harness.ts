import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Backend } from 'bufferevent-backend';
import type { Harness, TemporaryPath } from 'bufferevent-backend-compliance';
import { netBackend } from 'bufferevent-net';

/** A path in a directory of its own. `node:net` removes the socket when its listener closes, the rest goes here. */
export function temporaryPath(): TemporaryPath {
  const folder = mkdtempSync(join(tmpdir(), 'bufferevent-net-'));
  return {
    address: { path: join(folder, 'socket') },
    cleanup: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The suite over real sockets, listening where `listenAddress` says. */
export function netHarness(listenAddress: () => Address, backend: Backend = netBackend): Harness {
  const ipv4 = 'ip' in listenAddress() && (listenAddress() as { ip: string }).ip === '127.0.0.1';
  return {
    backend,
    listenAddress,
    ipv6Address: () => ({ ip: '::1', port: 0 }),
    pathAddress: temporaryPath,
    ...(ipv4 ? { localAddress: () => ({ ip: '127.0.0.2', port: 0 }) } : {}),
    foreignAddress: () => ({ ip: '192.0.2.1', port: 0 }),
    childModule: new URL('./child-harness.mjs', import.meta.url).href,
  };
}
