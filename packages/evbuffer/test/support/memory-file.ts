import { EvbufferError, type FileSource } from 'evbuffer';

/** A file in memory that counts its users, and can be made to fail. */
export class MemoryFile implements FileSource {
  readonly offset = 0;
  readonly descriptor = -1;
  users = 1;
  /** When false, reading fails. */
  readable = true;
  /** Where the file ends by now: it may have become shorter. */
  available: number;
  readonly #content: Uint8Array;

  constructor(content: Uint8Array) {
    this.#content = content;
    this.available = content.length;
  }

  get length(): number {
    return this.#content.length;
  }

  readSync(target: Uint8Array, at: number, offset: number, bytes: number): void {
    if (this.users < 1) throw new Error('a closed file was read');
    if (offset < 0 || offset + bytes > this.length) throw new Error('read outside the segment');
    if (!this.readable) throw new EvbufferError('ERR_EVBUFFER_FILE_READ', 'made to fail');
    // A file that ends before gives what is there.
    const end = Math.min(offset + bytes, this.available);
    if (end > offset) target.set(this.#content.subarray(offset, end), at);
    if (end < offset + bytes) throw new EvbufferError('ERR_EVBUFFER_FILE_SHRANK', 'made shorter');
  }

  async read(target: Uint8Array, at: number, offset: number, bytes: number): Promise<void> {
    this.readSync(target, at, offset, bytes);
  }

  /** Ends what made it fail. */
  restore(): void {
    this.readable = true;
    this.available = this.length;
  }

  retain(): void {
    if (this.users++ < 1) throw new Error('a closed file was retained');
  }

  release(): void {
    if (--this.users < 0) throw new Error('a file was released once too often');
  }
}
