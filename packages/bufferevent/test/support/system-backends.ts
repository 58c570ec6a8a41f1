import type { Backend } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';
import { netBackend } from 'bufferevent-net';

export type SystemBackendName = 'net' | 'epoll';

export const systemBackends: Readonly<Record<SystemBackendName, Backend>> = { net: netBackend, epoll: epollBackend };

/**
 * The backends over sockets of the system that tests run on here. Where epoll is not available, its tests are skipped with
 * one line that says so; with REQUIRE_TOOLS=1 they run, and fail.
 */
export const sockets: readonly SystemBackendName[] = isEpollUsable() ? ['net', 'epoll'] : ['net'];

/** Those of {@link sockets} that can do this. */
export function socketsWith(bit: 'descriptors' | 'peerClose' | 'readAfterWriteError'): SystemBackendName[] {
  return sockets.filter((name) => systemBackends[name].supports[bit]);
}

/** For the source of programs: the import that makes `backend` that one. */
export function importOfBackend(name: SystemBackendName): string {
  return `import { ${name}Backend as backend } from 'bufferevent-${name}';`;
}

function isEpollUsable(): boolean {
  const reason = epollBackend.unavailabilityReason();
  if (reason === null || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: the tests over epoll, which is not available: ${reason}`);
  return false;
}
