import type { CompletionBatch, Handle, Port } from 'bufferevent-backend';
import { Ssl, SslBioPair, type SslContext } from 'bufferevent-openssl';
import { Evbuffer } from 'evbuffer';

/** Asked for with each receive, and taken for each send, in bytes. */
const PIECE_BYTES = 64 * 1024;

/** While the peer does not take what is for it, nothing more is received from it. */
const MOST_OUTPUT_BYTES = 256 * 1024;

/**
 * One client. OpenSSL works against memory, and every completion is a step:
 *
 *     recv completes ─► feed() ─► handshake(), then read() ─► plain
 *     post a send    ◄─ output ◄─ handshake(), read(), write(), shutdown()
 *
 * After each step a send is posted for the ciphertext that waits, and the next receive. One of each is in flight at most, so
 * that it does not matter how many threads wait for completions: those of one stream come in order (C3).
 */
export class Session {
  readonly #port: Port;
  readonly #stream: Handle;
  readonly #tls: SslBioPair;
  readonly #plain = new Evbuffer();
  readonly #onEnd: (stream: Handle, failure: Error | null) => void;
  /** Lent to the port, from `#sent` on. `null` when no send is in flight. */
  #sending: Uint8Array | null = null;
  #sent = 0;
  #receiving = false;
  /** Nothing more will be read: the peer has said its end, or something has failed. */
  #finished = false;
  #failure: Error | null = null;
  #closing = false;

  /** @param onEnd called once, when nothing of the stream is left */
  constructor(port: Port, stream: Handle, context: SslContext, onEnd: (stream: Handle, failure: Error | null) => void) {
    this.#port = port;
    this.#stream = stream;
    this.#onEnd = onEnd;
    // `onReady` is for contexts whose callbacks answer later; the step that waits for it goes on.
    this.#tls = new SslBioPair(new Ssl(context), 'accepting', { onReady: () => this.#step() });
    this.#postReceive();
  }

  received(batch: CompletionBatch, index: number): void {
    this.#receiving = false;
    const result = batch.result(index);
    if (result > 0) {
      const start = batch.start(index);
      if (!this.#closing) this.#tls.feed(batch.memory(index).subarray(start, start + result));
      // Copied by `feed`.
      this.#port.release(batch.lease(index));
      this.#step();
    } else if (!this.#closing) this.#fail(result === 0 ? () => this.#tls.transportEnded() : lost);
  }

  /** @param result bytes that the system has taken, or a negative error number */
  sent(result: number): void {
    if (this.#closing) return;
    if (result < 0) return this.#fail(lost);
    this.#sent += result;
    if (this.#sent === this.#sending?.length) this.#sending = null;
    else this.#postSend();
    this.#goOn();
  }

  closed(): void {
    this.#tls.free();
    this.#plain.clear();
    this.#onEnd(this.#stream, this.#failure);
  }

  /** As far as what was fed leads. */
  #step(): void {
    if (this.#closing || this.#finished) return;
    try {
      if (this.#tls.handshake() === 'done' && this.#tls.read(this.#plain) === 'closed') this.#finished = true;
      if (this.#plain.length > 0) this.#tls.write(this.#plain);
      if (this.#finished) this.#tls.shutdown();
    } catch (error) {
      this.#finished = true;
      this.#failure = error as Error;
    }
    this.#goOn();
  }

  /** Ciphertext first, which may be an alert; then more from the peer, or the end. */
  #goOn(): void {
    const { output } = this.#tls;
    if (this.#sending === null && output.length > 0) {
      this.#sending = output.remove(Math.min(output.length, PIECE_BYTES));
      this.#sent = 0;
      this.#postSend();
    }
    if (this.#finished) {
      if (this.#sending === null) this.#close();
    } else if (output.length < MOST_OUTPUT_BYTES) this.#postReceive();
  }

  #postReceive(): void {
    if (this.#receiving) return;
    this.#receiving = true;
    this.#port.recv(this.#stream, PIECE_BYTES);
  }

  #postSend(): void {
    const memory = this.#sending as Uint8Array;
    this.#port.send(this.#stream, [{ memory, start: this.#sent, end: memory.length }]);
  }

  /** Nothing can be sent any more. */
  #fail(cause: () => void): void {
    try {
      cause();
    } catch (error) {
      this.#failure ??= error as Error;
    }
    this.#close();
  }

  #close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#port.close(this.#stream);
  }
}

function lost(): never {
  throw new Error('the connection is lost');
}
