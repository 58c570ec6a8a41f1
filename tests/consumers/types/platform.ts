// Compiles where the platform declares streams: the pair's are those.
import { type ByteReadableStream, createStreamPair, type StreamBytes, type StreamChunk } from 'evbuffer/web';

export async function use(): Promise<ReadableStream<string>> {
  const { readable, writable } = createStreamPair();
  const exact: ReadableStream<StreamBytes> = readable;
  const same: ByteReadableStream = exact;
  const bytes: ReadableStream<Uint8Array> = same;
  // @ts-expect-error: bytes, not text
  const words: ReadableStream<string> = same;

  const chunks: WritableStream<StreamChunk> = writable;
  const octets: WritableStream<Uint8Array> = chunks;
  const text: WritableStream<string> = chunks;
  // @ts-expect-error: numbers are no chunks
  const numbers: WritableStream<number> = createStreamPair().writable;

  const body = new Response(bytes).body;
  await body?.pipeThrough(createStreamPair()).pipeThrough(new CompressionStream('gzip')).pipeTo(octets);
  await words.pipeTo(text);
  await numbers.close();
  return createStreamPair().readable.pipeThrough(new TextDecoderStream());
}
