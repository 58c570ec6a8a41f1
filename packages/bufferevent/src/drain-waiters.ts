import { listenForAbort } from './abort.js';
import { type Deferred, withResolvers } from './deferred-promise.js';

interface Waiter extends Deferred<void> {
  stopListening: () => void;
}

/** The `drained()` promises that wait for an empty output. */
export class DrainWaiters {
  /** Made at first use: most connections are never asked. */
  #waiting: Set<Waiter> | null = null;

  add(signal: AbortSignal | undefined): Promise<void> {
    const waiter: Waiter = {
      ...withResolvers<void>(),
      stopListening: listenForAbort(signal, () => {
        this.#waiting?.delete(waiter);
        waiter.reject(signal?.reason);
      }),
    };
    this.#waiting ??= new Set();
    this.#waiting.add(waiter);
    return waiter.promise;
  }

  resolveAll(): void {
    if (!this.waiting) return;
    for (const waiter of this.#take()) waiter.resolve();
  }

  get waiting(): boolean {
    return this.#waiting !== null && this.#waiting.size > 0;
  }

  rejectAll(reason: unknown): void {
    for (const waiter of this.#take()) waiter.reject(reason);
  }

  #take(): Waiter[] {
    const waiters = [...(this.#waiting ?? [])];
    this.#waiting = null;
    for (const waiter of waiters) waiter.stopListening();
    return waiters;
  }
}
