import { AsyncResource } from 'node:async_hooks';

/**
 * The asynchronous context (`AsyncLocalStorage`) in which handlers run: the one in force when it was captured, whoever
 * the loop was serving when the bytes arrived.
 */
export class HandlerContext {
  readonly #resource: AsyncResource = new AsyncResource('BUFFEREVENT');

  run<This, Args extends unknown[]>(handler: (this: This, ...args: Args) => void, self: This, ...args: Args): void {
    this.#resource.runInAsyncScope(handler, self, ...args);
  }
}
