import { fileURLToPath } from 'node:url';
import { type FoundAddon, findAddon } from 'bufferevent-addon';
import type { NativeBinding, NativeHalf } from 'bufferevent-backend/native';

/** The addon; a port is opened with the number of threads that wait for the system. The last three are for tests. */
export interface IocpBinding extends Omit<NativeBinding, 'open'> {
  open(...words: [...Parameters<NativeBinding['open']>, threads: number]): NativeHalf | number;
  isServerEdition(): boolean;
  openHandles(): number;
  refuseAccepts(errors: Int32Array): void;
  runPort(
    threads: number,
    receivers: number,
    posts: Int32Array,
    received: Int32Array,
    announceMs: number,
    limitMs: number,
  ): number;
}

/** Why the addon can't be used in this process, as one sentence, or the addon. Looked for once. */
let found: FoundAddon<IocpBinding> | undefined;

export function findBinding(): FoundAddon<IocpBinding> {
  found ??= load();
  return found;
}

function load(): FoundAddon<IocpBinding> {
  if ('bun' in process.versions) return { reason: 'Bun does not offer the event loop of libuv to addons' };
  if ('deno' in process.versions) return { reason: 'Deno does not offer the event loop of libuv to addons' };
  if (process.platform !== 'win32') {
    return { reason: `completion ports exist on Windows only, and this is ${process.platform}` };
  }
  return findAddon<IocpBinding>(fileURLToPath(new URL('..', import.meta.url)), 'BUFFEREVENT_IOCP_ADDON');
}
