import { spawnSync } from 'node:child_process';

/**
 * Whether all of these programs can be run here. Where one is missing, its tests are skipped with one line that says so;
 * with REQUIRE_TOOLS=1 they run, and fail.
 */
export function areUsable(...tools: readonly string[]): boolean {
  const missing = tools.filter((tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined);
  if (missing.length === 0 || process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: the tests that need ${missing.join(', ')}, which is not installed`);
  return false;
}
