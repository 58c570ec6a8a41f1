import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** Everything that a stream gives, until its end. Leaves its writable side alone, which `for await` would destroy. */
export async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await finished(stream, { writable: false, cleanup: true });
  return Buffer.concat(chunks);
}

/** The same bytes in pieces of this size. */
export function piecesOf(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}
