/**
 * The one table of failures (C13): names, Linux numbers and plain sentences. Every backend maps its mechanism's codes
 * to these numbers, on every system, so that code above compares numbers and never asks which backend is below.
 */
const table = {
  EPERM: [1, 'operation not permitted'],
  ENOENT: [2, 'no such file or directory'],
  EINTR: [4, 'interrupted system call'],
  EIO: [5, 'i/o error'],
  EBADF: [9, 'bad file descriptor'],
  EAGAIN: [11, 'resource temporarily unavailable'],
  ENOMEM: [12, 'not enough memory'],
  EACCES: [13, 'permission denied'],
  EFAULT: [14, 'bad address in system call argument'],
  EBUSY: [16, 'resource busy or locked'],
  EEXIST: [17, 'file already exists'],
  ENOTDIR: [20, 'not a directory'],
  EISDIR: [21, 'illegal operation on a directory'],
  EINVAL: [22, 'invalid argument'],
  ENFILE: [23, 'file table overflow'],
  EMFILE: [24, 'too many open files'],
  ENOSPC: [28, 'no space left on device'],
  EROFS: [30, 'read-only file system'],
  EPIPE: [32, 'broken pipe'],
  ENAMETOOLONG: [36, 'name too long'],
  ELOOP: [40, 'too many symbolic links encountered'],
  EPROTO: [71, 'protocol error'],
  ENOTSOCK: [88, 'socket operation on non-socket'],
  EMSGSIZE: [90, 'message too long'],
  EPROTOTYPE: [91, 'protocol wrong type for socket'],
  ENOPROTOOPT: [92, 'protocol not available'],
  EPROTONOSUPPORT: [93, 'protocol not supported'],
  ENOTSUP: [95, 'operation not supported on socket'],
  EAFNOSUPPORT: [97, 'address family not supported'],
  EADDRINUSE: [98, 'address already in use'],
  EADDRNOTAVAIL: [99, 'address not available'],
  ENETDOWN: [100, 'network is down'],
  ENETUNREACH: [101, 'network is unreachable'],
  ECONNABORTED: [103, 'software caused connection abort'],
  ECONNRESET: [104, 'connection reset by peer'],
  ENOBUFS: [105, 'no buffer space available'],
  EISCONN: [106, 'socket is already connected'],
  ENOTCONN: [107, 'socket is not connected'],
  ESHUTDOWN: [108, 'cannot send after transport endpoint shutdown'],
  ETIMEDOUT: [110, 'connection timed out'],
  ECONNREFUSED: [111, 'connection refused'],
  EHOSTDOWN: [112, 'host is down'],
  EHOSTUNREACH: [113, 'host is unreachable'],
  EALREADY: [114, 'connection already in progress'],
  ECANCELED: [125, 'operation canceled'],
} as const;

export type ErrnoName = keyof typeof table;

/** Name → positive number. Results carry the negation. */
export const Errno: Readonly<Record<ErrnoName, number>> = Object.freeze(
  Object.fromEntries(Object.entries(table).map(([name, [number]]) => [name, number])) as Record<ErrnoName, number>,
);

const byNumber: ReadonlyMap<number, ErrnoName> = new Map(
  Object.entries(table).map(([name, [number]]) => [number, name as ErrnoName]),
);

/** The name of a negative result, `EIO` for a number that the table does not hold. */
export function errnoName(result: number): ErrnoName {
  return byNumber.get(-result) ?? 'EIO';
}

/** The sentence of a negative result. */
export function errnoMessage(result: number): string {
  return table[errnoName(result)][1];
}

/** The negative result for an errno name as Node gives it in `error.code`; `-EIO` for names outside the table. */
export function resultOfErrnoName(name: string | undefined): number {
  return -(name !== undefined && Object.hasOwn(table, name) ? Errno[name as ErrnoName] : Errno.EIO);
}
