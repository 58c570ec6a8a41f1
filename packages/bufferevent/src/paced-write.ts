import type { Bufferevent } from './bufferevent.js';

/** So much is copied into the output at once; the mark is looked at in between. */
const PIECE_BYTES: number = 64 * 1024;

/**
 * @internal Writes bytes of any amount without ever queueing more than the output's high mark and one piece; the rest
 * stays in `chunks`, whose memory is not to be changed before `done`.
 *
 * @param done called once: with `null` when more is welcome, at once if it is, or with what went wrong
 */
export function writePaced(bev: Bufferevent, chunks: readonly Uint8Array[], done: (error: Error | null) => void): void {
  writeFrom(bev, chunks, 0, 0, done);
}

/** A loop over all chunks, left only to wait: a call for each chunk would let their number overflow the stack. */
function writeFrom(
  bev: Bufferevent,
  chunks: readonly Uint8Array[],
  firstIndex: number,
  firstByte: number,
  done: (error: Error | null) => void,
): void {
  try {
    let at = firstByte;
    for (let index = firstIndex; index < chunks.length; index++, at = 0) {
      const bytes = chunks[index] as Uint8Array;
      while (at < bytes.length) {
        const end = Math.min(at + PIECE_BYTES, bytes.length);
        const welcome = bev.write(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
        at = end;
        if (welcome) continue;
        bev.drained().then(() => writeFrom(bev, chunks, index, end, done), done);
        return;
      }
    }
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null);
}
