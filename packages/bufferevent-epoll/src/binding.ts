import { fileURLToPath } from 'node:url';
import { type FoundAddon, findAddon } from 'bufferevent-addon';
import type { NativeBinding } from 'bufferevent-backend/native';

/** Why the addon can't be used in this process, as one sentence, or the addon. Looked for once. */
let found: FoundAddon<NativeBinding> | undefined;

export function findBinding(): FoundAddon<NativeBinding> {
  found ??= load();
  return found;
}

function load(): FoundAddon<NativeBinding> {
  if ('bun' in process.versions) return { reason: 'Bun does not offer the event loop of libuv to addons' };
  if ('deno' in process.versions) return { reason: 'Deno does not offer the event loop of libuv to addons' };
  if (process.platform !== 'linux') return { reason: `epoll exists on Linux only, and this is ${process.platform}` };
  return findAddon<NativeBinding>(fileURLToPath(new URL('..', import.meta.url)), 'BUFFEREVENT_EPOLL_ADDON');
}
