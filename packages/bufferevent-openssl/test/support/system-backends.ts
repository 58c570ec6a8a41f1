import type { Backend } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';
import { netBackend } from 'bufferevent-net';

/**
 * The backends over sockets of the system that tests run on here. Where epoll is not available, its tests are skipped with
 * one line that says so; with REQUIRE_TOOLS=1 they run, and fail.
 */
export const systemBackends: readonly Backend[] = isEpollUsable() ? [netBackend, epollBackend] : [netBackend];

function isEpollUsable(): boolean {
  const reason = epollBackend.unavailabilityReason();
  if (reason === null || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: the tests over epoll, which is not available: ${reason}`);
  return false;
}
