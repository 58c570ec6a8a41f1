import type { Bufferevent } from '../../bufferevent.js';
import type { BuffereventEvent, BuffereventHandlers } from '../../events.js';

/**
 * What a fake does otherwise than the good bufferevent below it. Methods and getters of a `Bufferevent` that a subclass
 * defines are called instead of those below; the `deliver…` methods stand between what is below and the user's
 * handlers. Everything else passes through. Not a way to build anything that is used.
 */
export class Fault {
  readonly below: Bufferevent;
  /** What the user holds: this fault in front of what is below. */
  readonly self: Bufferevent;
  #handlers: BuffereventHandlers | null = null;

  constructor(below: Bufferevent) {
    this.below = below;
    this.self = new Proxy(below, {
      get: (target, name) => {
        const owner: object = name in this && !(name in Object.prototype) ? this : target;
        const value: unknown = Reflect.get(owner, name, owner);
        return typeof value === 'function' && name !== 'constructor' ? value.bind(owner) : value;
      },
      set: (target, name, value) => Reflect.set(target, name, value, target),
    });
  }

  get handlers(): BuffereventHandlers | null {
    return this.#handlers;
  }

  setHandlers(handlers: BuffereventHandlers | null): void {
    if (handlers === null) this.below.setHandlers(null);
    else {
      const { onRead, onWrite, onEvent } = handlers;
      this.below.setHandlers({
        ...handlers,
        ...(typeof onRead === 'function' && { onRead: () => this.deliverRead() }),
        ...(typeof onWrite === 'function' && { onWrite: () => this.deliverWrite() }),
        ...(typeof onEvent === 'function' && { onEvent: (_: Bufferevent, event) => this.deliverEvent(event) }),
      });
    }
    this.#handlers = handlers;
  }

  /** Calls the user's `onRead`. */
  deliverRead(): void {
    this.deliver(() => this.#handlers?.onRead?.(this.self));
  }

  deliverWrite(): void {
    this.deliver(() => this.#handlers?.onWrite?.(this.self));
  }

  deliverEvent(event: BuffereventEvent): void {
    this.deliver(() => this.#handlers?.onEvent?.(this.self, event));
  }

  /** Runs a call of any handler. */
  deliver(call: () => void): void {
    call();
  }

  /** For what a fake does of its own accord, later: the object may be freed by then. */
  attempt(body: () => void): void {
    if (!this.below.freed) body();
  }
}
