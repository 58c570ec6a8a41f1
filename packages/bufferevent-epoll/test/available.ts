import { epollBackend } from 'bufferevent-epoll';
import { describe } from 'vitest';

/**
 * `describe` for suites that open sockets. Where the addon is missing they are skipped, with one line that says why; with
 * REQUIRE_TOOLS=1 they run, and fail.
 */
export const describeEpoll: ReturnType<typeof describe.runIf> = describe.runIf(isUsable());

function isUsable(): boolean {
  if (epollBackend.isAvailable() || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: the tests that need the epoll backend: ${epollBackend.unavailabilityReason()}`);
  return false;
}
