// Compiles whatever types the platform has: those of the DOM, of Node, both or none.
import { Evbuffer } from 'evbuffer';
import { describe, validate } from 'evbuffer/debug';
import { EvbufferReader, readFramed } from 'evbuffer/framing';
import { type ByteReadableStream, type ByteWritableStream, createStreamPair, type StreamPair } from 'evbuffer/web';

export async function use(): Promise<string | undefined> {
  using watch = new Evbuffer().watch((buffer, { added }) => buffer.drain(added));
  watch.enabled = false;
  const pair: StreamPair = createStreamPair({ buffer: new Evbuffer(), highWaterMark: 10 });
  const { buffer, readable, writable } = pair;
  validate(buffer);
  new EvbufferReader(buffer).rollback();
  const frame: Uint8Array | null = readFramed(buffer);

  const writer = writable.getWriter();
  const room: number | null = writer.desiredSize;
  await writer.ready;
  for (const chunk of ['text', new Uint8Array(1), new DataView(new ArrayBuffer(1)), new ArrayBuffer(1)]) {
    await writer.write(chunk);
  }
  // @ts-expect-error: neither bytes nor text
  await writer.write(5);
  writer.releaseLock();

  const reader = readable.getReader();
  const { done, value } = await reader.read();
  const bytes: Uint8Array | undefined = value;
  // @ts-expect-error: bytes, and not any
  const text: string | undefined = value;
  reader.releaseLock();
  const filled: Uint16Array | undefined = (await readable.getReader({ mode: 'byob' }).read(new Uint16Array(4))).value;
  for await (const chunk of readable) {
    const some: Uint8Array = chunk;
    // @ts-expect-error: bytes, and not any
    const words: string = chunk;
    if (some.length > words.length) break;
  }

  const through: ByteReadableStream = readable.pipeThrough(createStreamPair());
  const [left, right] = through.tee();
  const into: ByteWritableStream = writable;
  await left.pipeTo(into);
  await right.cancel('enough');
  await into.abort('enough');
  return done ? `${describe(buffer)} ${frame} ${room} ${bytes} ${filled}` : text;
}
