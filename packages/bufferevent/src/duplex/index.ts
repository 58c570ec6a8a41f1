export { type BuffereventDuplex, type DuplexOptions, toDuplex } from './bufferevent-duplex.js';
export { type ByteStream, fromDuplex, StreamBufferevent, type StreamBuffereventOptions } from './stream-bufferevent.js';
