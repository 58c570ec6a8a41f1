// @ts-check
// `npm install`: builds the addon where no prebuilt one loads. Never fails: without its addon the package says why it is
// not available, and programs use another backend.
import { existsSync } from 'node:fs';

// A checkout, whose addon is built with everything else.
if (!existsSync(new URL('build-addon.mjs', import.meta.url))) await install();

async function install() {
  const { findBinding } = await import('../dist/binding.js');
  const wanted = process.env['npm_config_build_from_source'] ?? '';
  if ('binding' in findBinding() && !['true', 'bufferevent-openssl'].includes(wanted)) return;
  const { buildAddon } = await import('./native-build.mjs');
  const result = buildAddon();
  if (result.outcome !== 'built') console.log(`bufferevent-openssl: installed without its addon: ${result.reason}`);
}
