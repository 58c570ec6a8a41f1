/** What this package uses of its host when the host has it. Nothing is imported, so nothing has to be there. */
interface BufferPrototype {
  indexOf(this: Uint8Array, needle: Uint8Array | number, from: number): number;
  lastIndexOf(this: Uint8Array, byte: number, from: number): number;
  utf8Write(this: Uint8Array, text: string, offset: number, bytes: number): number;
  latin1Write(this: Uint8Array, text: string, offset: number, bytes: number): number;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  asciiSlice(this: Uint8Array, start: number, end: number): string;
  hexSlice(this: Uint8Array, start: number, end: number): string;
  base64Slice(this: Uint8Array, start: number, end: number): string;
}

interface BufferConstructorLike {
  readonly prototype: BufferPrototype;
  from(text: string, encoding: string): Uint8Array;
}

interface Host {
  Buffer?: BufferConstructorLike;
  TextEncoder?: new () => { encode(text: string): Uint8Array };
  TextDecoder?: new (label: string, options: { ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string };
  atob?: (text: string) => string;
  btoa?: (text: string) => string;
}

export const host: Host = globalThis as unknown as Host;

const methodNames = [
  'indexOf',
  'lastIndexOf',
  'utf8Write',
  'latin1Write',
  'utf8Slice',
  'latin1Slice',
  'asciiSlice',
  'hexSlice',
  'base64Slice',
] as const satisfies readonly (keyof BufferPrototype)[];

const prototype = host.Buffer?.prototype;

/** Node's `Buffer`, where all of its methods exist that are used here, */
export const NodeBuffer: BufferConstructorLike | undefined = methodNames.every(
  (name) => typeof prototype?.[name] === 'function',
)
  ? host.Buffer
  : undefined;

/** and those methods, called on plain `Uint8Array`s. */
export const bufferMethods: BufferPrototype | undefined = NodeBuffer?.prototype;

/**
 * Adds a property under a registered symbol to a class: computed keys other than the well-known symbols cannot be
 * declared in a class under `isolatedDeclarations`.
 */
export function defineHidden(prototype: object, key: symbol, value: unknown): void {
  Object.defineProperty(prototype, key, { value, configurable: true });
}

/** Whether a value is of a class that has a hidden `true` under this registered symbol, in any copy of this package. */
export function hasBrand(value: unknown, key: symbol): boolean {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[key] === true;
}

/** Where the language has no `Symbol.dispose` yet, a class's dispose method was named "undefined": takes it away. */
export function fixDispose(prototype: object): void {
  if ((Symbol as { dispose?: symbol }).dispose === undefined) Reflect.deleteProperty(prototype, 'undefined');
}

const typedArrayTag = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get;

/** True for every `Uint8Array` (so also `Buffer`), also one from another realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || typedArrayTag?.call(value) === 'Uint8Array';
}

/**
 * Whether a view's memory can be written by other threads; of any realm. Asks for the `ArrayBuffer`, which is slow for
 * small arrays that have none yet.
 */
export function isSharedMemory(memory: Uint8Array): boolean {
  return Object.prototype.toString.call(memory.buffer) === '[object SharedArrayBuffer]';
}
