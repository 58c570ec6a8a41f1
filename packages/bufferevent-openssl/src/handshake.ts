import type { Evbuffer } from 'evbuffer';
import { Status } from './binding-contract.js';
import { chooseContext } from './client-hello.js';
import type { Engine } from './engine.js';
import { OpensslError } from './errors.js';
import type { Ssl } from './ssl.js';
import { judgePeer } from './verify.js';

/** A fatal alert in the clear, as is every alert before the hello of the server: internal_error (RFC 8446 §6). */
const internalErrorAlert: Uint8Array = Uint8Array.of(21, 3, 3, 0, 2, 2, 80);

/** Why the peer is refused. */
type Answer = OpensslError | null;

/**
 * The handshake of one connection with what users have to say in it, at once or after a while: the context for the name
 * that a client has asked for, and the judgement on the peer.
 *
 *     stepping ─► (client hello) asking ─► stepping ─► (over) asking ─► done
 */
export class Handshake {
  readonly #ssl: Ssl;
  readonly #engine: Engine;
  readonly #wake: () => void;
  /** Made when somebody is asked who may want to know: few handshakes ask, and one is dear. */
  #abort: AbortController | null = null;
  #abandoned = false;
  #state: 'stepping' | 'asking' | 'done' = 'stepping';
  /** What the users' answers have led to. */
  #failure: Answer = null;
  /** The last step could do nothing with what was there. */
  idle = false;

  /** @param wake called when an answer has come: it goes on with the next {@link step} */
  constructor(ssl: Ssl, engine: Engine, wake: () => void) {
    this.#ssl = ssl;
    this.#engine = engine;
    this.#wake = wake;
  }

  /** Whether an answer of the user's is waited for. */
  get isAsking(): boolean {
    return this.#state === 'asking';
  }

  /**
   * Goes on as far as the bytes of `source` lead, which are drained; what is for the peer is at the back of `toPeer` also
   * when this throws. Throws why the handshake has failed.
   */
  step(source: Evbuffer, toPeer: Evbuffer): 'done' | 'need-more' | 'pending' {
    if (this.#state === 'asking') return 'pending';
    if (this.#failure !== null) throw this.#refused(toPeer);
    while (this.#state === 'stepping') {
      const before = toPeer.length;
      const status = this.#engine.handshake(source, toPeer);
      this.idle = status === Status.wantInput && toPeer.length === before;
      this.#ssl.happened(this.#engine.takeEvents());
      switch (status) {
        case Status.ok:
          // As long as users are asked, also before they have answered: they may call back in.
          this.#state = 'asking';
          this.#conclude(judgePeer(this.#ssl), 'done');
          break;
        case Status.clientHello:
          this.#state = 'asking';
          this.#abort ??= new AbortController();
          this.#conclude(chooseContext(this.#ssl, this.#abort.signal), 'stepping');
          break;
        case Status.wantInput:
          return 'need-more';
        case Status.closed:
          throw new OpensslError('ERR_OPENSSL_HANDSHAKE', 'the peer has closed inside the handshake');
        default:
          throw this.#ssl.takeFailure('ERR_OPENSSL_HANDSHAKE', 'the handshake failed');
      }
      if (this.#failure !== null) throw this.#refused(toPeer);
    }
    return this.isAsking ? 'pending' : 'done';
  }

  /** The connection is given up: who is still at work on an answer hears of it. */
  abandon(): void {
    this.#abandoned = true;
    this.#abort?.abort();
  }

  #conclude(answer: Answer | Promise<Answer>, next: 'stepping' | 'done'): void {
    if (answer instanceof Promise) {
      void answer.then((refusal) => {
        if (this.#abandoned) return;
        this.#conclude(refusal, next);
        this.#wake();
      });
      return;
    }
    this.#failure = answer;
    this.#state = next;
    if (answer !== null) this.#ssl.refuse(answer);
  }

  /**
   * OpenSSL has no alert for what is not its own decision: one in the clear; once there are keys, none, so that the peer, for
   * whom the handshake may be done, meets a truncation. An end of ours would have it take a refusal for an empty answer.
   */
  #refused(toPeer: Evbuffer): Error {
    if (this.#state !== 'done') toPeer.add(internalErrorAlert);
    return this.#failure as Error;
  }
}
