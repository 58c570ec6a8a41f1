import { Errno, resultOfErrnoName } from 'bufferevent-backend';

/** What `node:net` reports when a socket is used that it has already taken apart: the system would say EPIPE. */
const brokenPipeCodes: ReadonlySet<string> = new Set([
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_SOCKET_CLOSED',
]);

/** The code of an error of `node:net`, for the trace (C13). */
export function rawCode(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.name;
}

/** The negative result for an error of `node:net` (C13). */
export function resultOfError(error: Error): number {
  const code = rawCode(error);
  return brokenPipeCodes.has(code) ? -Errno.EPIPE : resultOfErrnoName(code);
}
