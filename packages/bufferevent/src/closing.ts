import { type Deferred, withResolvers } from './deferred-promise.js';
import type { BuffereventEvent, CloseCause } from './events.js';

const WRITE_CLOSED = 1;
const WRITE_ENDED = 2;
const ENDING = 4;
const FINISHING = 8;
const SETTLED = 16;
const GONE = 32;

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
  /** Of every connection: its bits are one field. */
  #flags = 0;
  cause: CloseCause | null = null;
  /** For whoever waits for our end to be out. */
  onWriteEnded: (() => void) | null = null;
  #closed: Deferred<CloseCause> | null = null;
  #gone: Deferred<void> | null = null;

  /** No more writes. */
  get writeClosed(): boolean {
    return (this.#flags & WRITE_CLOSED) !== 0;
  }

  closeWriting(): void {
    this.#flags |= WRITE_CLOSED;
  }

  /** The peer has been told our end. */
  get writeEnded(): boolean {
    return (this.#flags & WRITE_ENDED) !== 0;
  }

  endWriting(): void {
    this.#flags |= WRITE_ENDED;
    this.onWriteEnded?.();
  }

  /** `end()` was called. */
  get ending(): boolean {
    return (this.#flags & ENDING) !== 0;
  }

  end(): void {
    this.#flags |= ENDING | WRITE_CLOSED;
  }

  /** The transport is closed or being closed after `end()`. */
  get finishing(): boolean {
    return (this.#flags & FINISHING) !== 0;
  }

  finish(): void {
    this.#flags |= FINISHING;
  }

  get clean(): boolean {
    return this.cause?.kind === 'clean';
  }

  /** Made at first use: most connections are never asked. */
  get closed(): Promise<CloseCause> {
    if (this.#closed === null) {
      this.#closed = withResolvers();
      if ((this.#flags & SETTLED) !== 0) this.#closed.resolve(this.cause as CloseCause);
    }
    return this.#closed.promise;
  }

  get gone(): Promise<void> {
    if (this.#gone === null) {
      this.#gone = withResolvers();
      if ((this.#flags & GONE) !== 0) this.#gone.resolve();
    }
    return this.#gone.promise;
  }

  settle(cause: CloseCause): void {
    this.cause ??= cause;
    if ((this.#flags & SETTLED) !== 0) return;
    this.#flags |= SETTLED;
    this.#closed?.resolve(this.cause);
  }

  finished(): void {
    this.settle({ kind: 'freed' });
    this.#flags |= GONE;
    this.#gone?.resolve();
  }

  /** A failed connect is tried again: the next `closed` speaks of the next connection. */
  renew(): void {
    if ((this.#flags & SETTLED) === 0) return;
    this.cause = null;
    this.#flags &= ~SETTLED;
    this.#closed = null;
  }
}

/** @internal What a failure, or the event that told of it, means for the connection. */
export function causeOf(error: Error, event: BuffereventEvent | undefined): CloseCause {
  if (event?.kind === 'timeout') return { kind: 'timeout', timeout: event.timeout, error };
  const { code } = error as { code?: string };
  // Of one below.
  if (code === 'ERR_BUFFEREVENT_FREED') return { kind: 'freed' };
  const reset = code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED';
  return { kind: reset ? 'reset' : 'error', error };
}
