import type { Socket } from 'node:net';

/**
 * libuv does not read again behind bytes that came with the news that the connection is down: it says that the stream has
 * ended, be it by the peer's end or by a reset. One more read tells which. `node:net` has no call for that, its handle does;
 * and a socket whose other direction has ended too must be kept from taking itself apart until then. Where one of these is not
 * found (another runtime, another version), a stream ends as libuv says. On Windows it does read again.
 */
interface ReadAgain {
  readonly _handle?: Partial<ReadHandle> | null;
  readonly _readableState?: { autoDestroy?: boolean };
}

interface ReadHandle {
  onread: (this: unknown, ...words: unknown[]) => unknown;
  readStart(): number;
  /** Fails when the connection is down. Behind the peer's end alone it is up, in the other direction. */
  getpeername(peer: object): number;
}

/**
 * Reads again from a socket that is saying 'end' and whose connection is down. `onEnd` is called when that says the same;
 * otherwise 'error' and 'close' follow.
 *
 * @returns false when there is nothing to find out
 */
export function readAgain(socket: Socket, onEnd: () => void): boolean {
  const { _handle: handle, _readableState: state } = socket as unknown as ReadAgain;
  if (!canReadAgain(handle) || state?.autoDestroy !== true || handle.getpeername({}) === 0) return false;
  if (handle.readStart() !== 0) return false;
  state.autoDestroy = false;
  const { onread } = handle;
  handle.onread = function (...words) {
    handle.onread = onread;
    const answer = onread.apply(this, words);
    if (!socket.destroyed) {
      state.autoDestroy = true;
      onEnd();
      if (socket.writableFinished) socket.destroy();
    }
    return answer;
  };
  return true;
}

/** Deno and Bun have handles of these names, without libuv behind them. */
const isNode = process.versions['deno'] === undefined && process.versions['bun'] === undefined;

function canReadAgain(handle: ReadAgain['_handle']): handle is ReadHandle {
  if (!isNode || process.platform === 'win32' || handle === undefined || handle === null) return false;
  return [handle.onread, handle.readStart, handle.getpeername].every((one) => typeof one === 'function');
}
