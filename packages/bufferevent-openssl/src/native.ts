import { findBinding } from './binding.js';
import { type Binding, RESULT_WORDS } from './binding-contract.js';
import { OpensslError, type OpensslErrorCode, opensslError } from './errors.js';

/** What each call of the engine leaves behind; the words are named by `Result` of the contract. One of this thread. */
export const results: Int32Array = new Int32Array(RESULT_WORDS);

let started: Binding | null = null;

/** The addon, ready to be used in this thread. Throws `ERR_OPENSSL_UNAVAILABLE` with the reason where there is none. */
export function native(): Binding {
  return started ?? start();
}

function start(): Binding {
  const found = findBinding();
  if ('reason' in found) {
    throw new OpensslError('ERR_OPENSSL_UNAVAILABLE', `OpenSSL is not available: ${found.reason}`);
  }
  found.binding.start(results);
  started = found.binding;
  return started;
}

/** The reasons of a call that failed and was not of a connection. */
export function nativeError(code: OpensslErrorCode, what: string): OpensslError {
  return opensslError(code, what, native().takeErrors());
}
