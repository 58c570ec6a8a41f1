import type { Bufferevent } from './bufferevent.js';

/** So much is copied into the output at once; the mark is looked at in between. */
const PIECE_BYTES: number = 64 * 1024;

/**
 * @internal Writes bytes of any amount without ever queueing more than the output's high mark and one piece; the rest
 * stays in `bytes`, which is not to be changed before `done`.
 *
 * @param done called once: with `null` when more is welcome, at once if it is, or with what went wrong
 */
export function writePaced(bev: Bufferevent, bytes: Uint8Array, done: (error: Error | null) => void): void {
  writeFrom(bev, bytes, 0, done);
}

function writeFrom(bev: Bufferevent, bytes: Uint8Array, from: number, done: (error: Error | null) => void): void {
  try {
    for (let at = from; at < bytes.length; ) {
      const end = Math.min(at + PIECE_BYTES, bytes.length);
      const welcome = bev.write(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      at = end;
      if (welcome) continue;
      bev.drained().then(() => writeFrom(bev, bytes, at, done), done);
      return;
    }
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null);
}
