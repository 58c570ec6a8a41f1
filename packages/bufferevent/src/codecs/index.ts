export { type LengthPrefixOptions, lengthPrefixCodec, type Payload } from './length-prefix-codec.js';
export { type LineCodecOptions, type LineStyle, lineCodec } from './line-codec.js';
export type { MessageCodec } from './message-codec.js';
export { messages, readMessage, writeMessage } from './messages.js';
export { brotliLayer, type CompressionOptions, deflateLayer, gzipLayer, rawDeflateLayer } from './zlib-layers.js';
