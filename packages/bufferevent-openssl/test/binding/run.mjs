// @ts-check
// run.mjs ADDON PKI: every scene over one addon, in any runtime that loads it. PKI is a file with the certificates.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { World } from './peer.mjs';
import { scenes } from './scenes.mjs';

const [addon, pki] = /** @type {[string, string]} */ (process.argv.slice(2));
const world = new World(createRequire(import.meta.url)(addon), JSON.parse(readFileSync(pki, 'utf8')));
let failed = 0;
for (const [name, run] of scenes) {
  try {
    run(world);
  } catch (error) {
    failed++;
    console.error(`${name}: ${error instanceof Error ? error.stack : error}`);
  }
}
console.log(`${scenes.size - failed} of ${scenes.size} scenes over OpenSSL ${world.binding.opensslVersion}`);
if (failed > 0) process.exitCode = 1;
