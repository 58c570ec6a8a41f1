import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Backend, PathAddress } from 'bufferevent-backend';
import type { Harness, TemporaryPath } from 'bufferevent-backend-compliance';
import { netBackend } from 'bufferevent-net';

/** Paths for sockets, in a folder that goes when the process does: sockets whose listener is still open included. */
const folder = mkdtempSync(join(tmpdir(), 'bufferevent-net-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let paths = 0;

/** A path nobody has listened on yet. */
export function freshPath(): PathAddress {
  return { path: join(folder, `socket-${++paths}`) };
}

export function temporaryPath(): TemporaryPath {
  const address = freshPath();
  return { address, cleanup: () => rmSync(address.path, { force: true }) };
}

export const ipv4 = (): Address => ({ ip: '127.0.0.1', port: 0 });
export const ipv6 = (): Address => ({ ip: '::1', port: 0 });

/** The suite over real sockets that listen where `listenAddress` says. */
export function netHarness(listenAddress: () => Address, backend: Backend = netBackend): Harness {
  return {
    backend,
    listenAddress,
    ipv6Address: () => ({ ip: '::1', port: 0 }),
    // The named pipes that Windows has instead can't end one direction.
    ...(process.platform === 'win32' ? {} : { pathAddress: temporaryPath }),
    ...(listenAddress === ipv4 ? { localAddress: () => ({ ip: '127.0.0.2', port: 0 }) } : {}),
    foreignAddress: () => ({ ip: '192.0.2.1', port: 0 }),
    childModule: new URL('./child-harness.mjs', import.meta.url).href,
  };
}
