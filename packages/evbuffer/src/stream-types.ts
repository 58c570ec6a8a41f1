/** The part of a stream's reader that is here whatever types the platform has. */
interface Reader {
  readonly closed: Promise<unknown>;
  cancel(reason?: unknown): Promise<void>;
  releaseLock(): void;
}

interface DefaultReader extends Reader {
  read(): Promise<{ done: false; value: StreamBytes } | { done: true; value: undefined }>;
}

interface ByobReader extends Reader {
  read<V extends ArrayBufferView>(view: V): Promise<{ done: boolean; value: V | undefined }>;
}

interface Writer {
  readonly closed: Promise<unknown>;
  readonly desiredSize: number | null;
  readonly ready: Promise<unknown>;
  abort(reason?: unknown): Promise<void>;
  close(): Promise<void>;
  releaseLock(): void;
  write(chunk: StreamChunk): Promise<void>;
}

/** A readable stream of bytes where there are no types for streams: neither the DOM's, nor Node's, nor others. */
interface PlainReadable {
  readonly locked: boolean;
  cancel(reason?: unknown): Promise<void>;
  getReader(options: { mode: 'byob' }): ByobReader;
  getReader(): DefaultReader;
  pipeThrough<T>(transform: { readonly readable: T; readonly writable: object }, options?: object): T;
  pipeTo(destination: object, options?: object): Promise<void>;
  tee(): [PlainReadable, PlainReadable];
  [Symbol.asyncIterator](): AsyncIterableIterator<StreamBytes>;
}

/** The same for a writable stream. */
interface PlainWritable {
  readonly locked: boolean;
  abort(reason?: unknown): Promise<void>;
  close(): Promise<void>;
  getWriter(): Writer;
}

declare global {
  // Merged with what the platform declares under these names; empty when it declares nothing.
  // biome-ignore lint/suspicious/noExplicitAny: merging needs the type parameters that the platform has
  interface ReadableStream<R = any> {}
  // biome-ignore lint/suspicious/noExplicitAny: as above
  interface WritableStream<W = any> {}
}

/** `Uint8Array<ArrayBuffer>`, also for versions of TypeScript in which `Uint8Array` takes no argument. */
export type StreamBytes = ReturnType<Uint8Array['slice']>;

/** What may be written: bytes in any form, or text, which becomes utf8. */
export type StreamChunk = string | ArrayBufferLike | ArrayBufferView;

/** The platform's `ReadableStream<Uint8Array<ArrayBuffer>>`, or, when it has no types for streams, an interface of the same shape. */
export type ByteReadableStream = keyof ReadableStream extends never ? PlainReadable : ReadableStream<StreamBytes>;

/** The platform's `WritableStream<StreamChunk>`, or, when it has no types for streams, an interface of the same shape. */
export type ByteWritableStream = keyof WritableStream extends never ? PlainWritable : WritableStream<StreamChunk>;
