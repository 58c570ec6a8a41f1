import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Binding } from './binding-contract.js';

/** The addon, not started yet, or why it can't be used in this process, as one sentence. */
export type FoundBinding = { readonly binding: Binding } | { readonly reason: string };

let found: FoundBinding | undefined;

/** Looked for once in every thread. Never throws. */
export function findBinding(): FoundBinding {
  found ??= load();
  return found;
}

function load(): FoundBinding {
  // Another build of the addon, for instance with sanitizers, or with an OpenSSL of its own.
  const chosen = process.env['BUFFEREVENT_OPENSSL_ADDON'];
  if (chosen === undefined) {
    const lacking = ['bun', 'deno', 'electron'].find((runtime) => runtime in process.versions);
    if (lacking !== undefined) {
      return {
        reason: `${lacking} does not share an OpenSSL with addons; BUFFEREVENT_OPENSSL_ADDON can name a build that carries its own`,
      };
    }
  }
  try {
    const require = createRequire(import.meta.url);
    if (chosen !== undefined) return { binding: require(chosen) as Binding };
    const build = require('node-gyp-build') as (folder: string) => Binding;
    return { binding: build(fileURLToPath(new URL('..', import.meta.url))) };
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] as string) : String(error);
    return { reason: `the native addon could not be loaded: ${message}` };
  }
}
