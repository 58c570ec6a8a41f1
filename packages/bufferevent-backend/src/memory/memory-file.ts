const ZEROS = new Uint8Array(65536);

/** A piece of a file: bytes `[start, end)` of `memory`. */
export interface FilePiece {
  readonly memory: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** An open file of the memory network: zeros up to `at`, then `bytes`. */
export class MemoryFile {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get size(): number {
    return this.#at + this.#bytes.length;
  }

  /** The longest piece of `[from, to)` that lies in one memory. `from < to ≤ size`. */
  piece(from: number, to: number): FilePiece {
    if (from >= this.#at) return { memory: this.#bytes, start: from - this.#at, end: to - this.#at };
    return { memory: ZEROS, start: 0, end: Math.min(ZEROS.length, Math.min(to, this.#at) - from) };
  }
}
