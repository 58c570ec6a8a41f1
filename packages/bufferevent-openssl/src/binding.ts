import { fileURLToPath } from 'node:url';
import { type FoundAddon, findAddon } from 'bufferevent-addon';
import type { Binding } from './binding-contract.js';

/** Names another build of the addon, for instance one with an OpenSSL of its own. */
const VARIABLE = 'BUFFEREVENT_OPENSSL_ADDON';

let found: FoundAddon<Binding> | undefined;

/** The addon, not started yet, or why it can't be used in this process. Looked for once in every thread. Never throws. */
export function findBinding(): FoundAddon<Binding> {
  found ??= load();
  return found;
}

function load(): FoundAddon<Binding> {
  const lacking = ['bun', 'deno', 'electron'].find((runtime) => runtime in process.versions);
  if (lacking !== undefined && process.env[VARIABLE] === undefined) {
    return {
      reason: `${lacking} does not share an OpenSSL with addons; ${VARIABLE} can name a build that carries its own`,
    };
  }
  return findAddon<Binding>(fileURLToPath(new URL('..', import.meta.url)), VARIABLE);
}
