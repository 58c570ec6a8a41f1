/** A port of the native half, as only that half understands it. */
export interface NativeHalf {
  readonly brand: unique symbol;
}

/**
 * What the addon of a native backend offers; formats and arguments are explained in `native/door.h`. Calls that open
 * something take a number for the port of a network address, and −1 with a path.
 */
export interface NativeBinding {
  open(
    control: Int32Array,
    completions: Int32Array,
    submissions: Int32Array,
    counters: Float64Array,
    onWakeup: () => void,
    holder: object,
  ): NativeHalf | number;
  stop(port: NativeHalf): void;
  flush(port: NativeHalf): void;
  shareMemoryWords(port: NativeHalf, words: Int32Array, capacity: number): void;
  addMemory(port: NativeHalf, id: number, memory: ArrayBuffer, weak: boolean): void;
  removeMemory(port: NativeHalf, id: number): void;
  listen(
    port: NativeHalf,
    where: string,
    number: number,
    backlog: number,
    ipv6Only: boolean,
    reusePort: boolean,
    deferAccept: boolean,
    mode: number,
  ): number;
  connect(port: NativeHalf, where: string, number: number, localIp?: string, localPort?: number): number;
  adopt(port: NativeHalf, descriptor: number): number;
  descriptor(port: NativeHalf, slot: number): number;
  setOption(port: NativeHalf, slot: number, option: number, value: number): number;
  address(port: NativeHalf, slot: number, peer: boolean): readonly [where: string, port: number] | null;
}
