import type { Address } from './contract.js';
import { errnoMessage, errnoName } from './errno.js';

/** An error with the fields that Node's own system errors have. */
export interface SystemError extends Error {
  /** Errno name, `ECONNRESET`. */
  readonly code: string;
  /** Negated number of the one table. */
  readonly errno: number;
  readonly syscall: string;
  readonly address?: string;
  readonly port?: number;
}

/**
 * Makes the error that `node:net` would have given for a failed operation: same message, `code`, `errno`,
 * `syscall`, and `address`/`port` when an address is given.
 *
 * @param result a negative completion result
 */
export function systemError(result: number, syscall: string, address?: Address | null): SystemError {
  const code = errnoName(result);
  const where = address == null ? '' : ` ${'path' in address ? address.path : `${address.ip}:${address.port}`}`;
  // Node puts the sentence into failures to bind and nowhere else.
  const sentence = syscall === 'listen' || syscall === 'bind' ? `: ${errnoMessage(result)}` : '';
  const error = new Error(`${syscall} ${code}${sentence}${where}`);
  const fields: { code: string; errno: number; syscall: string; address?: string; port?: number } = {
    code,
    errno: result,
    syscall,
  };
  if (address != null) {
    if ('path' in address) fields.address = address.path;
    else {
      fields.address = address.ip;
      fields.port = address.port;
    }
  }
  return Object.assign(error, fields);
}
