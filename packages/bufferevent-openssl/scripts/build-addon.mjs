// @ts-check
// The addon of a checkout: built when a source has changed. A machine that cannot build it gets one line that says why.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isFresh, markFresh } from './freshness.mjs';
import { buildAddon, folder } from './native-build.mjs';

if (!existsSync(join(folder, 'build/Release/bufferevent_openssl.node')) || !isFresh('checkout')) {
  const result = buildAddon();
  if (result.outcome === 'built') markFresh('checkout');
  else {
    if (result.outcome === 'failed') console.error(result.output);
    console.log(`bufferevent-openssl: built without its addon: ${result.reason}`);
    if (result.outcome === 'failed' || process.env['REQUIRE_TOOLS'] === '1') process.exitCode = 1;
  }
}
