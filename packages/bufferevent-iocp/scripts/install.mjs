// @ts-check
// `npm install`: builds the addon where no prebuilt one loads.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// In a checkout the addon is built with everything else.
if (!existsSync(new URL('../tsconfig.json', import.meta.url))) {
  const { installAddon } = await import('bufferevent-addon');
  const { findBinding } = await import('../dist/binding.js');
  const lacking =
    process.platform === 'win32' ? null : `completion ports exist on Windows only, and this is ${process.platform}`;
  installAddon(fileURLToPath(new URL('..', import.meta.url)), 'bufferevent-iocp', findBinding(), lacking);
}
