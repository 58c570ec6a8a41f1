import { Evbuffer } from 'evbuffer';
import type { Engine } from './engine.js';
import { OpensslError } from './errors.js';
import type { Ssl } from './ssl.js';
import { judgePeer } from './verify.js';

/**
 * Asks the peer for a new handshake (TLS 1.2 and below). Payload that has been decrypted and not taken goes to the back of
 * `early`: OpenSSL gives a connection up that has some in front of the answer. Throws why it could not begin.
 */
export function beginRenegotiation(ssl: Ssl, engine: Engine, toPeer: Evbuffer, early: Evbuffer): void {
  ssl.checkRenegotiation();
  if (engine.buffered > 0) engine.decrypt(new Evbuffer(), early, engine.buffered, toPeer);
  if (engine.renegotiate(toPeer)) return;
  throw ssl.takeFailure('ERR_OPENSSL_RENEGOTIATION', 'the renegotiation could not begin');
}

/**
 * The judgement on the peer after a renegotiation, in which it may have become somebody else; bytes that came behind it have been
 * decrypted by then, and another handshake may have begun. Throws why it is refused. There is no waiting here: who promises an
 * answer has refused.
 */
export function judgeAgain(ssl: Ssl): void {
  const judgement = judgePeer(ssl);
  if (judgement === null) return;
  if (!(judgement instanceof Promise)) throw ssl.refuse(judgement);
  throw ssl.refuse(
    new OpensslError('ERR_OPENSSL_RENEGOTIATION', 'verify() has to answer at once after a renegotiation'),
  );
}
