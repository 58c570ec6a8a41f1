import type { WindowsEcho } from 'wine';
import { type Digest, Meter, payload } from './payload.js';

const clientMs = 120_000;

/** Has a client of Windows send so many bytes, and take all that comes back. */
export async function exchange(
  windows: WindowsEcho,
  bytes: number,
  ...words: string[]
): Promise<{ sent: Digest; received: Digest }> {
  const sent = new Meter();
  const pieces = [...payload(bytes)];
  for (const piece of pieces) sent.add(piece);
  const client = windows.client(Buffer.concat(pieces), ...words);
  const code = await client.end(clientMs);
  if (code !== 0) throw new Error(`the client ended with ${code}: ${client.output().slice(-2000)}`);
  const received = new Meter();
  received.add(client.outputBytes());
  return { sent: sent.digest(), received: received.digest() };
}
