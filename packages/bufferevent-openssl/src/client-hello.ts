import { OpensslError } from './errors.js';
import type { Ssl } from './ssl.js';
import type { SslContext } from './ssl-context.js';
import { isPromise } from './verify.js';

/**
 * @internal Asks `onClientHello` of the context, when the handshake is suspended there, and puts the connection on what it
 * chooses. `null`: go on; or why the client is refused. Never throws and never rejects.
 */
export function chooseContext(ssl: Ssl, signal: AbortSignal): OpensslError | null | Promise<OpensslError | null> {
  const { onClientHello } = ssl.context.policy;
  const hello = ssl.clientHello();
  if (onClientHello === null || hello === null) return null;
  try {
    const answer: SslContext | null | undefined | PromiseLike<SslContext | null | undefined> = onClientHello(
      hello,
      signal,
    );
    if (!isPromise(answer)) return change(ssl, answer);
    // A late answer is about a handshake that is over: the Ssl may be in another one by then.
    return Promise.resolve(answer).then((chosen) => (signal.aborted ? null : change(ssl, chosen)), refusal);
  } catch (cause) {
    // Looking at the answer may throw, too: `then` may be a getter.
    return refusal(cause);
  }
}

function change(ssl: Ssl, chosen: SslContext | null | undefined): OpensslError | null {
  if (chosen === null || chosen === undefined || chosen === ssl.context) return null;
  try {
    ssl.useContext(chosen);
    return null;
  } catch (cause) {
    return refusal(cause);
  }
}

function refusal(cause: unknown): OpensslError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new OpensslError('ERR_OPENSSL_HANDSHAKE', `onClientHello refused the client: ${text}`, { cause });
}
