import { type Deferred, withResolvers } from './deferred-promise.js';
import type { BuffereventEvent, CloseCause } from './events.js';

/**
 * How far the end of a connection has come.
 *
 *     halfClose() ─► writeClosed ─► (output sent) ─► writeEnded ─┐
 *     end()       ─► ending, writeClosed                         ├─► finishing ─► (transport gone) ─► finished
 *                               peer's end ──────────────────────┘
 *
 * The cause is decided once. It is published (settled) at the first failure, or when the transport is gone.
 */
export class Closing {
  /** No more writes. */
  writeClosed = false;
  /** The peer has been told our end. */
  writeEnded = false;
  /** `end()` was called. */
  ending = false;
  /** The transport is closed or being closed after `end()`. */
  finishing = false;
  cause: CloseCause | null = null;
  #settled = false;
  #isGone = false;
  #closed: Deferred<CloseCause> | null = null;
  #gone: Deferred<void> | null = null;

  get clean(): boolean {
    return this.cause?.kind === 'clean';
  }

  /** Made at first use: most connections are never asked. */
  get closed(): Promise<CloseCause> {
    if (this.#closed === null) {
      this.#closed = withResolvers();
      if (this.#settled) this.#closed.resolve(this.cause as CloseCause);
    }
    return this.#closed.promise;
  }

  get gone(): Promise<void> {
    if (this.#gone === null) {
      this.#gone = withResolvers();
      if (this.#isGone) this.#gone.resolve();
    }
    return this.#gone.promise;
  }

  settle(cause: CloseCause): void {
    this.cause ??= cause;
    if (this.#settled) return;
    this.#settled = true;
    this.#closed?.resolve(this.cause);
  }

  finished(): void {
    this.settle({ kind: 'freed' });
    this.#isGone = true;
    this.#gone?.resolve();
  }

  /** A failed connect is tried again: the next `closed` speaks of the next connection. */
  renew(): void {
    if (!this.#settled) return;
    this.cause = null;
    this.#settled = false;
    this.#closed = null;
  }
}

/** @internal What a failure, or the event that told of it, means for the connection. */
export function causeOf(error: Error, event: BuffereventEvent | undefined): CloseCause {
  if (event?.kind === 'timeout') return { kind: 'timeout', timeout: event.timeout, error };
  const { code } = error as { code?: string };
  const reset = code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED';
  return { kind: reset ? 'reset' : 'error', error };
}
