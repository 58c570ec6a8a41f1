export { createStreamPair, type StreamPair, type StreamPairOptions } from './stream-pair.js';
export type { ByteReadableStream, ByteWritableStream, StreamBytes, StreamChunk } from './stream-types.js';
