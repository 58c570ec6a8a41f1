import { type Cipher, createCipheriv, randomBytes } from 'node:crypto';

/** Where the bytes of a connection come from. */
export interface ByteSource {
  /** `length` bytes, at most what the source was made for. Nobody writes to them. */
  next(length: number): Uint8Array;
}

/** The same bytes again and again: costs nothing. */
export class FixedBytes implements ByteSource {
  readonly #memory: Buffer;

  constructor(maxLength: number) {
    this.#memory = Buffer.alloc(maxLength, 'bufferevent ');
  }

  next(length: number): Uint8Array {
    return length === this.#memory.length ? this.#memory : this.#memory.subarray(0, length);
  }
}

/** The key stream of AES-CTR under a random key: as random as the system's generator, and several times as fast. */
export class RandomBytes implements ByteSource {
  readonly #cipher: Cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  readonly #zeros: Buffer;

  constructor(maxLength: number) {
    this.#zeros = Buffer.alloc(maxLength);
  }

  next(length: number): Uint8Array {
    return this.#cipher.update(this.#zeros.subarray(0, length));
  }
}
