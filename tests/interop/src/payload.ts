import { createHash, type Hash, randomBytes } from 'node:crypto';

/** What has moved in one direction. */
export interface Digest {
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

const pieceBytes = 64 * 1024;

/** Random bytes in pieces that all differ, so that no exchange of two, loss or repetition keeps the digest. */
export function* payload(bytes: number): Generator<Uint8Array, void, undefined> {
  const random = randomBytes(pieceBytes);
  for (let offset = 0; offset < bytes; offset += pieceBytes) {
    const piece = Buffer.from(random.subarray(0, Math.min(pieceBytes, bytes - offset)));
    if (piece.length >= 8) piece.writeDoubleLE(offset, 0);
    yield piece;
  }
}

/** Counts and hashes what passes. */
export class Meter {
  readonly #hash: Hash = createHash('sha256');
  bytes = 0;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
  }

  /** Of all that has passed; once. */
  digest(): Digest {
    return { bytes: this.bytes, sha256: this.#hash.digest('hex') };
  }
}
