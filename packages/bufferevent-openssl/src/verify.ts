import type { X509Certificate } from 'node:crypto';
import { APPLICATION_VERIFICATION, type OpensslError, OpensslVerifyError } from './errors.js';
import type { Ssl } from './ssl.js';

/** What a {@link VerifyFunction} is told of the peer. */
export interface PeerIdentity {
  /** What the peer sent, its own certificate first; empty when it sent none. */
  readonly chain: readonly X509Certificate[];
  /**
   * What OpenSSL found wrong, names included; `null` when nothing is. Of several things the first, but a wrong name only
   * when nothing else is wrong. Who forgives an error has to look at all of {@link errors}.
   */
  readonly error: OpensslVerifyError | null;
  /** Everything that OpenSSL found wrong, in its order, but names last; `error` is the first. See `ssl.verifyErrors`. */
  readonly errors: readonly OpensslVerifyError[];
  /** The name that was asked for (SNI), by us or by the client; `null` without one. */
  readonly servername: string | null;
  /**
   * Of a server: the host or the numeric address that the certificate has to name, that of `verifyName` or else `servername`;
   * `null` when any name will do, and for clients.
   */
  readonly verifyName: string | null;
}

/** `undefined` leaves the judgement to OpenSSL; see {@link VerifyFunction}. */
export type VerifyAnswer = boolean | Error | undefined;

/**
 * The user's say on the peer, after OpenSSL's own verification and before the connection is announced. Called after
 * every handshake in which a certificate could have come, resumed ones included; data of the peer waits for the answer.
 *
 * - nothing (`undefined`): as OpenSSL found, refused when `error` is set and `rejectUnauthorized` is not false;
 * - `true`: accepted, whatever OpenSSL found; for pinned or self-signed certificates;
 * - `false`, an `Error`, or throwing: refused with `ERR_OPENSSL_VERIFY`, the error as its `cause`.
 *
 * A promise makes the first handshake wait, within its time-out. After a renegotiation the answer has to come at once: a
 * promise refuses the peer then, whatever it resolves to, with `ERR_OPENSSL_RENEGOTIATION`. Where `chain` is empty nobody has
 * been identified.
 */
export type VerifyFunction = (ssl: Ssl, peer: PeerIdentity) => VerifyAnswer | Promise<VerifyAnswer>;

/**
 * @internal The judgement on the peer once the handshake is over: `null` when it is accepted. Never throws and never
 * rejects.
 */
export function judgePeer(ssl: Ssl): OpensslError | null | Promise<OpensslError | null> {
  const { requestCert, rejectUnauthorized, verify } = ssl.context.policy;
  if (ssl.isServer === true && !requestCert) return null;
  const errors = ssl.verifyErrors;
  const error = errors[0] ?? null;
  const byOpenssl = rejectUnauthorized ? error : null;
  if (verify === null) return byOpenssl;
  try {
    const { peerCertificateChain: chain, servername, verifyName } = ssl;
    const answer: unknown = verify(ssl, { chain, error, errors, servername, verifyName });
    if (!isPromise(answer)) return conclude(answer, byOpenssl);
    return Promise.resolve(answer).then((settled) => conclude(settled, byOpenssl), refusal);
  } catch (cause) {
    // Looking at the answer may throw, too: `then` may be a getter.
    return refusal(cause);
  }
}

function conclude(answer: unknown, byOpenssl: OpensslVerifyError | null): OpensslVerifyError | null {
  if (answer === undefined) return byOpenssl;
  if (answer === true) return null;
  return refusal(answer === false ? undefined : answer);
}

/** Also for answers of no known kind: what is not clearly accepted is refused. */
function refusal(cause: unknown): OpensslVerifyError {
  const text = cause instanceof Error ? cause.message : 'refused by verify()';
  return new OpensslVerifyError(APPLICATION_VERIFICATION, text, -1, cause === undefined ? {} : { cause });
}

/** @internal */
export function isPromise<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
