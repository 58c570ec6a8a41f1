import { type BuildResult, buildAddon } from './build.js';
import type { FoundAddon } from './find.js';

/**
 * What `npm install` runs for a package with an addon: builds it where no prebuilt one loads. Never fails: without its addon
 * the package says why it is not available, and programs use something else.
 *
 * @param name of the package
 * @param found what it finds so far
 * @param lacking why nothing can be built on this machine, or `null`
 */
export function installAddon(folder: string, name: string, found: FoundAddon<unknown>, lacking: string | null): void {
  const wanted = process.env['npm_config_build_from_source'] ?? '';
  if ('binding' in found && !['true', name].includes(wanted)) return;
  const reason = lacking ?? reasonOf(buildAddon(folder));
  if (reason !== null) console.log(`${name}: installed without its addon: ${reason}`);
}

function reasonOf(result: BuildResult): string | null {
  return result.outcome === 'built' ? null : result.reason;
}
