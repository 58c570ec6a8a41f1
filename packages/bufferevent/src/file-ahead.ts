import type { Segment } from 'bufferevent-backend';
import { EvbufferError, type FileRange, type FileSource } from 'evbuffer';

/** One read. Large enough that its way through the system's threads costs little, small enough to keep for each connection. */
const BLOCK_BYTES: number = 64 * 1024;

/** One is being sent while the next is read. */
const MAX_BLOCKS = 2;

/** Blocks that nobody uses, last in first out; more are left to the garbage collector. */
const freeBlocks: Uint8Array[] = [];
const MAX_FREE_BLOCKS = 16;

function takeBlock(): Uint8Array {
  return freeBlocks.pop() ?? new Uint8Array(BLOCK_BYTES);
}

function giveBack(block: Uint8Array): void {
  if (freeBlocks.length < MAX_FREE_BLOCKS) freeBlocks.push(block);
}

/** Bytes [start, end) of a block, to be sent. */
interface Filled {
  readonly block: Uint8Array;
  start: number;
  readonly end: number;
}

/**
 * @internal Reads the bytes of one file range ahead of their being sent, for backends that can't send from files. Never
 * blocks, and holds two blocks at most, however large the range:
 *
 *      file   ░░ sent ░░│▓▓▓▓▓▓ filled ▓▓▓▓▓▓│▒▒▒▒ being read ▒▒▒▒│     not asked for
 *                    #position             #next                                  #end
 *
 * The output keeps the range, and with it the file open, until its bytes were sent; here are copies of them. A block
 * belongs to the system while it is read, then to whoever sends from it until `sent` or `close`, then to the next reader.
 * Reads begin in `peekInto` only: who stops asking has stopped reading.
 */
export class FileAhead {
  readonly #file: FileSource;
  readonly #end: number;
  readonly #onRead: () => void;
  /** The first byte that was not sent. */
  #position: number;
  /** The first byte that was not read. */
  #next: number;
  /** A read that ended here has failed: where the failure begins is searched for in front of it. */
  #failedTo = Infinity;
  #error: Error | null = null;
  #reading = false;
  #closed = false;
  readonly #filled: Filled[] = [];

  /** @param onRead called after each read, whatever came of it, unless closed before; never inside a call */
  constructor({ file, offset, length }: FileRange, onRead: () => void) {
    this.#file = file;
    this.#position = offset;
    this.#next = offset;
    this.#end = offset + length;
    this.#onRead = onRead;
  }

  /** Whether a range begins with the byte to be sent next. (Who looks at the output's bytes moves them to memory.) */
  continues({ file, offset }: FileRange): boolean {
    return file === this.#file && offset === this.#position && offset < this.#end;
  }

  /** Why the byte to be sent next can't be read; those before it were sent. */
  get failure(): Error | null {
    return this.#filled.length === 0 ? this.#error : null;
  }

  /**
   * Describes up to `max` bytes that can be sent now; their memory stays as it is until `sent` or `close`. Sees to it that
   * the next are read.
   * @returns the number of segments, 0 when nothing has been read yet
   */
  peekInto(target: Segment[], max: number): number {
    if (!this.#reading && this.#error === null && this.#next < this.#end && this.#filled.length < MAX_BLOCKS) {
      void this.#read();
    }
    const first = this.#filled[0];
    if (first === undefined) return 0;
    const { block, start } = first;
    target[0] = { memory: block, start, end: Math.min(first.end, start + max) };
    return 1;
  }

  /** The first `count` of the bytes described last were sent, and their memory is no longer in use. */
  sent(count: number): void {
    this.#position += count;
    const first = this.#filled[0] as Filled;
    first.start += count;
    if (first.start < first.end) return;
    this.#filled.shift();
    giveBack(first.block);
  }

  /** Gives up. No send may be using the memory any more; a read that goes on is waited for, and tells nobody. */
  close(): void {
    this.#closed = true;
    for (const { block } of this.#filled.splice(0)) giveBack(block);
  }

  async #read(): Promise<void> {
    this.#reading = true;
    const block = takeBlock();
    const bytes = this.#readSize();
    let error: Error | null = null;
    try {
      await this.#file.read(block, 0, this.#next, bytes);
    } catch (cause) {
      error = cause as Error;
    }
    this.#reading = false;
    if (this.#closed) {
      giveBack(block);
      return;
    }
    if (error === null) this.#succeeded(block, bytes);
    else {
      giveBack(block);
      if (bytes === 1) this.#error = error;
      else this.#failedTo = this.#next + bytes;
    }
    this.#onRead();
  }

  /** A read fails as a whole. The bytes before the one that can't be read are found by halves, and sent like all others. */
  #readSize(): number {
    if (this.#failedTo < Infinity) return Math.max(1, (this.#failedTo - this.#next) >> 1);
    return Math.min(BLOCK_BYTES, this.#end - this.#next);
  }

  #succeeded(block: Uint8Array, bytes: number): void {
    this.#filled.push({ block, start: 0, end: bytes });
    this.#next += bytes;
    if (this.#next === this.#failedTo) this.#failedTo = Infinity;
  }
}

/** @internal What a read of the first byte of a range would fail with; for who learned from the system that it is past the end. */
export function fileShrank({ file, offset }: FileRange): EvbufferError {
  return new EvbufferError(
    'ERR_EVBUFFER_FILE_SHRANK',
    `the file ends at ${file.offset + offset}, before the end of the segment at ${file.offset + file.length}`,
  );
}
