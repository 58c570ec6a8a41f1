import { fileURLToPath } from 'node:url';
import { type FoundAddon, findAddon } from 'bufferevent-addon';

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
let found: FoundAddon<Binding> | undefined;

export function findBinding(): FoundAddon<Binding> {
  found ??= load();
  return found;
}

function load(): FoundAddon<Binding> {
  if ('bun' in process.versions) return { reason: 'Bun does not offer the event loop of libuv to addons' };
  if ('deno' in process.versions) return { reason: 'Deno does not offer the event loop of libuv to addons' };
  if (process.platform !== 'linux') return { reason: `epoll exists on Linux only, and this is ${process.platform}` };
  return findAddon<Binding>(fileURLToPath(new URL('..', import.meta.url)), 'BUFFEREVENT_EPOLL_ADDON');
}
