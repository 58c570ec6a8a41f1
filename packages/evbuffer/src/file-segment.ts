import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { checkFinite, checkType } from './arguments.js';
import { EvbufferError, rangeError, typeError } from './errors.js';
import type { FileSource } from './file-source.js';
import { fixDispose } from './platform.js';

export interface FileSegmentOptions {
  /** Where the segment begins in the file. Default 0. */
  readonly offset?: number;
  /** Its bytes. Default: the rest of the file. */
  readonly length?: number;
  /**
   * Called once, when the opener has closed the segment and no buffer holds bytes of it any more, after its descriptor was
   * closed; with the error if closing failed. Never called inside a call of a buffer, always later.
   */
  readonly onClose?: (error?: Error) => void;
}

/**
 * A part of an open file, whose bytes buffers can hold without having read them (`Evbuffer.addFileSegment`). The same
 * segment may be added to many buffers, and more than once. The opener holds it until `close`, every buffer until the
 * bytes have left it; then it is cleaned up, once. (api-evbuffer rows 26 to 30)
 *
 * The file must not change meanwhile. When it has become too short, who reads past its end gets ERR_EVBUFFER_FILE_SHRANK.
 */
export class FileSegment implements FileSource {
  /** Where it begins in the file. */
  readonly offset: number;
  /** Its bytes. */
  readonly length: number;
  readonly #handle: FileHandle;
  readonly #ownsHandle: boolean;
  readonly #onClose: ((error?: Error) => void) | undefined;
  #users = 1;
  #open = true;

  static {
    fixDispose(FileSegment.prototype);
  }

  private constructor(handle: FileHandle, owns: boolean, offset: number, length: number, options: FileSegmentOptions) {
    this.offset = offset;
    this.length = length;
    this.#handle = handle;
    this.#ownsHandle = owns;
    this.#onClose = options.onClose;
  }

  /**
   * Opens a part of a regular file. A path is opened here and closed with the segment; a `FileHandle` stays the caller's,
   * who keeps it open until `onClose`.
   * Rejects with the system's error, a `TypeError` ERR_EVBUFFER_INVALID_ARGUMENT for what is not a regular file, a
   * `RangeError` ERR_EVBUFFER_OUT_OF_RANGE for a range that is not inside it; nothing stays open then.
   */
  static async open(file: string | URL | FileHandle, options: FileSegmentOptions = {}): Promise<FileSegment> {
    if (typeof options !== 'object' || options === null) throw typeError('options must be an object');
    const { offset = 0, length, onClose } = options;
    checkFinite(offset, 'offset');
    if (length !== undefined) checkFinite(length, 'length');
    if (onClose !== undefined) checkType(onClose, 'function', 'onClose');
    const owns = typeof file === 'string' || file instanceof URL;
    if (!owns && typeof file?.fd !== 'number') throw typeError('file must be a path, a URL or a FileHandle');
    const handle = owns ? await open(file, 'r') : file;
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw typeError('only regular files can be sent from');
      const bytes = length ?? stat.size - offset;
      if (bytes < 0 || bytes > stat.size - offset) {
        throw rangeError(`[${offset}, ${offset + Math.max(0, bytes)}) is not a range of a file of ${stat.size} bytes`);
      }
      return new FileSegment(handle, owns, offset, bytes, options);
    } catch (error) {
      if (owns) await handle.close();
      throw error;
    }
  }

  /** The open descriptor; −1 when the segment is cleaned up, or the caller's `FileHandle` was closed. Do not close it. */
  get descriptor(): number {
    return this.#users > 0 ? this.#handle.fd : -1;
  }

  /** Whether it is cleaned up: closed by its opener and held by no buffer. */
  get closed(): boolean {
    return this.#users === 0;
  }

  /** See `FileSource`. Also throws ERR_EVBUFFER_INVALID_STATE when the segment, or its file, is closed. */
  readSync(target: Uint8Array, at: number, offset: number, bytes: number): void {
    this.#checkUsable();
    let done = 0;
    while (done < bytes) {
      let read: number;
      try {
        read = readSync(this.#handle.fd, target, at + done, bytes - done, this.offset + offset + done);
      } catch (cause) {
        throw readFailed(cause);
      }
      if (read === 0) throw this.#shrank(offset + done);
      done += read;
    }
  }

  /** The same without blocking; the segment stays open meanwhile. */
  async read(target: Uint8Array, at: number, offset: number, bytes: number): Promise<void> {
    this.#checkUsable();
    this.retain();
    try {
      let done = 0;
      while (done < bytes) {
        let read: number;
        try {
          const result = await this.#handle.read(target, at + done, bytes - done, this.offset + offset + done);
          read = result.bytesRead;
        } catch (cause) {
          throw readFailed(cause);
        }
        if (read === 0) throw this.#shrank(offset + done);
        done += read;
      }
    } finally {
      this.release();
    }
  }

  /** One more user. Throws ERR_EVBUFFER_INVALID_STATE when it is cleaned up. */
  retain(): void {
    if (this.#users === 0) throw closed();
    this.#users++;
  }

  /** One user less; the last one closes the file, if it was opened here. Throws as `retain`. */
  release(): void {
    if (this.#users === 0) throw closed();
    if (--this.#users > 0) return;
    const onClose = this.#onClose;
    if (!this.#ownsHandle) queueMicrotask(() => onClose?.());
    else if (onClose === undefined) this.#handle.close().catch(() => {});
    else this.#handle.close().then(() => onClose(), onClose);
  }

  /** Gives up the opener's hold. Buffers that hold bytes of the segment keep it open. Safe to call twice. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.release();
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The number of a descriptor that was closed may be another file's by now. */
  #checkUsable(): void {
    if (this.descriptor < 0) throw closed();
  }

  #shrank(offset: number): EvbufferError {
    return new EvbufferError(
      'ERR_EVBUFFER_FILE_SHRANK',
      `the file ends at ${this.offset + offset}, before the end of the segment at ${this.offset + this.length}`,
    );
  }
}

function closed(): EvbufferError {
  return new EvbufferError('ERR_EVBUFFER_INVALID_STATE', 'the file segment, or its file, is closed');
}

function readFailed(cause: unknown): EvbufferError {
  return new EvbufferError('ERR_EVBUFFER_FILE_READ', `the file could not be read: ${(cause as Error).message}`, {
    cause,
  });
}
