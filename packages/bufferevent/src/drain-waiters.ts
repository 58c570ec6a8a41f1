import { listenForAbort } from './abort.js';
import { type Deferred, withResolvers } from './deferred-promise.js';

interface Waiter extends Deferred<void> {
  stopListening: () => void;
}

/** The `drained()` promises that wait for an empty output. */
export class DrainWaiters {
  readonly #waiting: Set<Waiter> = new Set();

  add(signal: AbortSignal | undefined): Promise<void> {
    const waiter: Waiter = {
      ...withResolvers<void>(),
      stopListening: listenForAbort(signal, () => {
        this.#waiting.delete(waiter);
        waiter.reject(signal?.reason);
      }),
    };
    this.#waiting.add(waiter);
    return waiter.promise;
  }

  resolveAll(): void {
    if (!this.waiting) return;
    for (const waiter of this.#take()) waiter.resolve();
  }

  get waiting(): boolean {
    return this.#waiting.size > 0;
  }

  rejectAll(reason: unknown): void {
    if (!this.waiting) return;
    for (const waiter of this.#take()) waiter.reject(reason);
  }

  #take(): Waiter[] {
    const waiters = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiters) waiter.stopListening();
    return waiters;
  }
}

/** Most connections are never asked: they share this until they are, and never add to it. */
export const noWaiters: DrainWaiters = new DrainWaiters();
