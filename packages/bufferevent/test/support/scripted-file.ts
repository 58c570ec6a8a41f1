import type { FileSource } from 'evbuffer';

interface HeldRead {
  readonly offset: number;
  readonly bytes: number;
  readonly finish: () => void;
}

/** A file without a disk: its reads wait until the test lets them go, and end where the test says. Never read synchronously. */
export class ScriptedFile implements FileSource {
  readonly offset = 0;
  readonly descriptor: number;
  readonly content: Uint8Array;
  /** Reads that reach beyond fail. */
  readableTo = Infinity;
  error: Error = Object.assign(new Error('unreadable'), { code: 'ERR_EVBUFFER_FILE_READ' });
  /** Reads that wait. */
  readonly held: HeldRead[] = [];
  /** Whether reads wait to be let go. */
  holds: boolean;
  /** Bytes asked for so far. */
  asked = 0;
  users = 0;

  constructor(content: Uint8Array, holds = false, descriptor = -1) {
    this.content = content;
    this.holds = holds;
    this.descriptor = descriptor;
  }

  get length(): number {
    return this.content.length;
  }

  readSync(): void {
    throw new Error('a synchronous read');
  }

  async read(target: Uint8Array, at: number, offset: number, bytes: number): Promise<void> {
    this.users += 1;
    this.asked += bytes;
    if (this.holds) await new Promise<void>((finish) => void this.held.push({ offset, bytes, finish }));
    this.users -= 1;
    if (offset + bytes > this.readableTo) throw this.error;
    target.set(this.content.subarray(offset, offset + bytes), at);
  }

  /** Lets the oldest read that waits go on. */
  letGo(): void {
    this.held.shift()?.finish();
  }

  retain(): void {
    this.users += 1;
  }

  release(): void {
    this.users -= 1;
  }
}
