import { spawnSync } from 'node:child_process';

/**
 * Whether `tool` can be run here. Where it is missing, its tests are skipped with one line that says so; with
 * REQUIRE_TOOLS=1 they run, and fail.
 */
export function isUsable(tool: string): boolean {
  if (spawnSync(tool, ['-h'], { stdio: 'ignore' }).error === undefined) return true;
  return isRequired(`${tool}, which is not installed`);
}

/** Whether tests that lack something run all the same; says that they are skipped when not. */
export function isRequired(lacking: string): boolean {
  if (process.env['REQUIRE_TOOLS'] === '1') return true;
  console.warn(`skipped: the tests that need ${lacking}`);
  return false;
}
