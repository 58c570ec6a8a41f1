import { type CompletionBatch, type Handle, Operation } from 'bufferevent-backend';
import { type Deferred, withResolvers } from './deferred-promise.js';
import type { CompletionOwner, EventBase } from './event-base.js';

/** @internal What a former handle tells the socket that gave it up. */
export interface FormerHost {
  readonly base: EventBase;
  /** Its recv is over, with `count` bytes or with none. */
  formerReceived(batch: CompletionBatch, index: number, count: number): void;
  /** Its send is over. */
  formerSent(count: number): void;
  /** It is closed, or the caller's again. */
  formerGone(): void;
}

/**
 * @internal A handle that a socket has given up for another one, or for none, until the system is done with it. Till then
 * its recv and its send take the place of those of the socket's own handle. Only their bytes matter: not its end, and not
 * its failures.
 */
export class FormerHandle implements CompletionOwner {
  readonly #host: FormerHost;
  readonly #handle: Handle;
  readonly #released: Deferred<void> = withResolvers();

  constructor(host: FormerHost, handle: Handle) {
    this.#host = host;
    this.#handle = handle;
  }

  /** Closes the descriptor, or else leaves it open for the caller. Resolves when the system is done with it. */
  giveUp(close: boolean): Promise<void> {
    const { base } = this.#host;
    base.own(this.#handle, this);
    if (close) base.port.close(this.#handle);
    else base.port.detach(this.#handle);
    return this.#released.promise;
  }

  onCompletion(operation: Operation, result: number, batch: CompletionBatch, index: number): void {
    switch (operation) {
      case Operation.recv:
        this.#host.formerReceived(batch, index, Math.max(0, result));
        break;
      case Operation.send:
      case Operation.sendFile:
        this.#host.formerSent(Math.max(0, result));
        break;
      case Operation.close:
      case Operation.detach:
        this.#host.base.disown(this.#handle);
        this.#released.resolve();
        this.#host.formerGone();
        break;
      default:
        break;
    }
  }
}
