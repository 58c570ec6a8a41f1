// @ts-check
// build.mjs PACKAGE: the addon of a checkout, built when a source has changed. A machine that cannot build it gets one
// line that says why.
import { existsSync } from 'node:fs';
import { buildAddon } from 'bufferevent-addon';
import { isFresh, markFresh } from './freshness.mjs';
import { PackageFolder } from './package-folder.mjs';

const of = new PackageFolder(process.argv[2]);
if (!of.systems.includes(process.platform)) {
  console.log(`${of.name}: built without its addon, which is for ${of.systems.join(' and ')}`);
} else if (!existsSync(of.addon) || !isFresh(of, 'checkout')) {
  const result = buildAddon(of.folder);
  if (result.outcome === 'built') markFresh(of, 'checkout');
  else {
    if (result.outcome === 'failed') console.error(result.output);
    console.log(`${of.name}: built without its addon: ${result.reason}`);
    if (result.outcome === 'failed' || process.env['REQUIRE_TOOLS'] === '1') process.exitCode = 1;
  }
}
