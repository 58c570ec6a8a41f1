import type { Backend } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';
import { iocpBackend } from 'bufferevent-iocp';
import { netBackend } from 'bufferevent-net';

/** The one that is written for this system. */
const native: Backend = process.platform === 'win32' ? iocpBackend : epollBackend;

/**
 * The backends over sockets of the system that tests run on here. Where the native one is not available, its tests are skipped
 * with one line that says so; with REQUIRE_TOOLS=1 they run, and fail.
 */
export const systemBackends: readonly Backend[] = isNativeUsable() ? [netBackend, native] : [netBackend];

function isNativeUsable(): boolean {
  const reason = native.unavailabilityReason();
  if (reason === null || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: the tests over ${native.name}, which is not available: ${reason}`);
  return false;
}
