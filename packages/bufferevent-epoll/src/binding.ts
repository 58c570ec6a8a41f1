import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** A port of the native half. */
export interface NativePort {
  readonly brand: unique symbol;
}

/**
 * What the addon offers; formats and arguments are explained in `native/addon.cc`. Calls that open something take a
 * number for the port of a network address, and −1 with a path.
 */
export interface Binding {
  open(
    control: Int32Array,
    completions: Int32Array,
    submissions: Int32Array,
    counters: Float64Array,
    onWakeup: () => void,
    holder: object,
  ): NativePort | number;
  stop(port: NativePort): void;
  flush(port: NativePort): void;
  shareMemoryWords(port: NativePort, words: Int32Array, capacity: number): void;
  addMemory(port: NativePort, id: number, memory: ArrayBuffer, weak: boolean): void;
  removeMemory(port: NativePort, id: number): void;
  listen(
    port: NativePort,
    where: string,
    number: number,
    backlog: number,
    ipv6Only: boolean,
    reusePort: boolean,
    deferAccept: boolean,
    mode: number,
  ): number;
  connect(port: NativePort, where: string, number: number, localIp?: string, localPort?: number): number;
  adopt(port: NativePort, descriptor: number): number;
  descriptor(port: NativePort, slot: number): number;
  setOption(port: NativePort, slot: number, option: number, value: number): number;
  address(port: NativePort, slot: number, peer: boolean): readonly [where: string, port: number] | null;
}

/** Why the addon can't be used in this process, as one sentence, or the addon. Looked for once. */
let found: { readonly binding: Binding } | { readonly reason: string } | undefined;

export function findBinding(): { readonly binding: Binding } | { readonly reason: string } {
  found ??= load();
  return found;
}

function load(): { readonly binding: Binding } | { readonly reason: string } {
  if ('bun' in process.versions) return { reason: 'Bun does not offer the event loop of libuv to addons' };
  if ('deno' in process.versions) return { reason: 'Deno does not offer the event loop of libuv to addons' };
  if (process.platform !== 'linux') return { reason: `epoll exists on Linux only, and this is ${process.platform}` };
  try {
    const require = createRequire(import.meta.url);
    // Another build of the addon, for instance with sanitizers.
    const chosen = process.env['BUFFEREVENT_EPOLL_ADDON'];
    if (chosen !== undefined) return { binding: require(chosen) as Binding };
    const build = require('node-gyp-build') as (folder: string) => Binding;
    return { binding: build(fileURLToPath(new URL('..', import.meta.url))) };
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] as string) : String(error);
    return { reason: `the native addon could not be loaded: ${message}` };
  }
}
