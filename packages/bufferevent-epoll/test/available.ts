import { epollBackend } from 'bufferevent-epoll';
import { describe, it } from 'vitest';

/** Where the addon is missing, its tests are skipped, with one line that says why; with REQUIRE_TOOLS=1 they run, and fail. */
const usable = isUsable();

/** `describe` for suites that open sockets, and `it` for single tests. */
export const describeOnEpoll: ReturnType<typeof describe.runIf> = describe.runIf(usable);
export const itOnEpoll: ReturnType<typeof it.runIf> = it.runIf(usable);

function isUsable(): boolean {
  if (epollBackend.isAvailable() || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: the tests that need the epoll backend: ${epollBackend.unavailabilityReason()}`);
  return false;
}
