import { spawnSync } from 'node:child_process';
import { isAvailable, unavailabilityReason } from 'bufferevent-openssl';
import type { Peer } from './peer.js';

/** Where a program is missing, what needs it is skipped with one line that says so; with REQUIRE_TOOLS=1 it is tried, and fails. */
export function isUsable(what: string, tools: readonly string[]): boolean {
  const missing = tools.filter((tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined);
  if (missing.length === 0 || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: ${what}: ${missing.join(', ')} not found`);
  return false;
}

export function isPeerUsable({ name, tools }: Peer): boolean {
  return isUsable(`interoperability with ${name}`, tools);
}

/** Without the addon nothing can be tried at all. */
export function isAddonUsable(): boolean {
  if (isAvailable() || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: all of interop: ${unavailabilityReason()}`);
  return false;
}
