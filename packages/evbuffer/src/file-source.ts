/**
 * A part of a file, as `evbuffer/file` provides it. Offsets are relative to the part. Its methods are called in the middle
 * of a buffer's own: they must not use any buffer.
 */
export interface FileSource {
  /** Bytes in this part of the file. */
  readonly length: number;
  /** Where this part begins in the file. */
  readonly offset: number;
  /** The open descriptor, for those who send files from the kernel; −1 when there is none, and the file is read. */
  readonly descriptor: number;
  /**
   * Reads [offset, offset + bytes) to target[at, at + bytes), all of it.
   * Throws EvbufferError ERR_EVBUFFER_FILE_SHRANK when the file ends before, ERR_EVBUFFER_FILE_READ with the system's error as `cause`.
   */
  readSync(target: Uint8Array, at: number, offset: number, bytes: number): void;
  /** The same without blocking; rejects with the same errors. */
  read(target: Uint8Array, at: number, offset: number, bytes: number): Promise<void>;
  /** One more user: the file stays open until `release` was called as often. */
  retain(): void;
  release(): void;
}

/** Bytes of a file at the front of a buffer, from `Evbuffer.peekFile`: file[offset, offset + length). */
export interface FileRange {
  readonly file: FileSource;
  /** Relative to `file`, as its `read` takes it; `file.offset + offset` is the offset in the file itself. */
  readonly offset: number;
  /** A large range comes in several pieces, each a `FileRange` of its own. */
  readonly length: number;
}
