import { unavailabilityReason } from '../../src/index.js';

/**
 * Where what is asked for is not available, its tests are skipped, with one line that says why; with REQUIRE_TOOLS=1, and under
 * Wine, for which everything has been prepared, they run, and fail.
 */
export function isUsable(what: string, reason: string | null): boolean {
  if (reason === null || process.env['REQUIRE_TOOLS'] === '1' || process.env['UNDER_WINE'] === '1') return true;
  console.warn(`skipped: the tests that need ${what}: ${reason}`);
  return false;
}

export function isOpensslUsable(): boolean {
  return isUsable('OpenSSL', unavailabilityReason());
}
