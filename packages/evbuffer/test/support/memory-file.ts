import type { FileSource } from 'evbuffer';

/** A file in memory that counts its users. */
export class MemoryFile implements FileSource {
  readonly offset = 0;
  readonly descriptor = -1;
  users = 1;
  readonly #content: Uint8Array;

  constructor(content: Uint8Array) {
    this.#content = content;
  }

  get length(): number {
    return this.#content.length;
  }

  readSync(target: Uint8Array, at: number, offset: number, bytes: number): void {
    if (this.users < 1) throw new Error('a closed file was read');
    if (offset < 0 || offset + bytes > this.length) throw new Error('read outside the segment');
    target.set(this.#content.subarray(offset, offset + bytes), at);
  }

  async read(target: Uint8Array, at: number, offset: number, bytes: number): Promise<void> {
    this.readSync(target, at, offset, bytes);
  }

  retain(): void {
    if (this.users++ < 1) throw new Error('a closed file was retained');
  }

  release(): void {
    if (--this.users < 0) throw new Error('a file was released once too often');
  }
}
