import { spawnSync } from 'node:child_process';

/**
 * Whether all of these programs can be run here. Where one is missing, one line says what is skipped for it; with
 * REQUIRE_TOOLS=1 that is an error.
 */
export function hasTools(what: string, tools: readonly string[]): boolean {
  const missing = tools.filter((tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined);
  if (missing.length === 0) return true;
  if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(`${what}: ${missing.join(', ')} not found`);
  console.log(`skipped: ${what}: ${missing.join(', ')} not found`);
  return false;
}
