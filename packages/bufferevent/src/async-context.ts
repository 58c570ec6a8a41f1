import { AsyncResource } from 'node:async_hooks';

/** The context that runs. Entering one costs as much as a quick handler, so it is not entered again from inside. */
let current: HandlerContext | null = null;

/**
 * The asynchronous context (`AsyncLocalStorage`) in which handlers run: the one in force when it was captured, whoever
 * the loop was serving when the bytes arrived.
 */
export class HandlerContext {
  readonly #resource: AsyncResource = new AsyncResource('BUFFEREVENT');

  run<This, Args extends unknown[]>(handler: (this: This, ...args: Args) => void, self: This, ...args: Args): void {
    if (current === this) {
      handler.apply(self, args);
      return;
    }
    const outer = current;
    current = this;
    try {
      this.#resource.runInAsyncScope(handler, self, ...args);
    } finally {
      current = outer;
    }
  }
}
