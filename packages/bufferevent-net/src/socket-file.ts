// The files that sockets of the Unix domain are reached by.
import { chmodSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** On Windows, paths are named pipes. */
export const hasSocketFiles: boolean = process.platform !== 'win32';

/** What fits into the system's address, in bytes. */
const MAX_PATH_BYTES: number = process.platform === 'linux' ? 107 : 103;

/** What the name of a pipe may have. */
const MAX_PIPE_CHARACTERS = 256;

/** Where `node:net` would use the beginning of the path instead, or not say what is wrong with it. */
export function isTooLong(path: string): boolean {
  return hasSocketFiles ? Buffer.byteLength(path) > MAX_PATH_BYTES : path.length > MAX_PIPE_CHARACTERS;
}

/**
 * Gives the socket file that `bind` creates before it returns the permissions `mode`.
 *
 * The umask makes it so from the file's first moment on. It belongs to the process: files that other threads create
 * during the call (microseconds) may lose permissions by it, none gain any. A worker can't set it, so that its socket
 * file has what the umask leaves until the line after. The final `chmod` also wins over default ACLs of the folder.
 *
 * @param bind answers whether it created the file
 */
export function bindWithMode(path: string, mode: number, bind: () => boolean): void {
  const umask = isMainThread ? process.umask(0o777 & ~mode) : null;
  let created: boolean;
  try {
    created = bind();
  } finally {
    if (umask !== null) process.umask(umask);
  }
  if (created) chmodSync(path, mode);
}
