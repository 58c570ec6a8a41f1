import { Errno, type Handle, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Stays interested in a listener that it cannot accept from: the loop spins, and each turn reports the failure. */
class SpinningPort extends BrokenPort {
  readonly #starving = new Set<Handle>();

  protected override receive(completions: readonly FakeCompletion[]): void {
    for (const { operation, handle, result } of completions) {
      if (operation === Operation.close || (operation === Operation.accept && result > 0))
        this.#starving.delete(handle);
      if (operation !== Operation.accept || result >= 0) continue;
      if (result === -Errno.EMFILE) {
        this.#starving.add(handle);
        setImmediate(() => this.#again(handle));
      } else this.#starving.delete(handle);
    }
    this.deliver(completions);
  }

  override [Symbol.asyncDispose](): Promise<void> {
    this.#starving.clear();
    return this.below[Symbol.asyncDispose]();
  }

  #again(listener: Handle): void {
    if (!this.#starving.has(listener)) return;
    this.deliver([{ operation: Operation.accept, handle: listener, result: -Errno.EMFILE }]);
    setImmediate(() => this.#again(listener));
  }
}

export const reportsEachTurn: BrokenFake = brokenFake(
  'C20',
  'reports in every turn that descriptors have run out',
  breakWith(SpinningPort),
);
