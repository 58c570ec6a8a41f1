import { type Handle, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Nothing in flight, so why wait? Because the caller is not done yet. */
class ImpatientPort extends BrokenPort {
  readonly #told = new Set<Handle>();

  override close(handle: Handle): void {
    const before = this.below.stats().pending;
    this.below.close(handle);
    if (this.below.stats().pending - before > 1 || before > 0) return;
    this.#told.add(handle);
    this.deliver([{ operation: Operation.close, handle, result: 0 }]);
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    this.deliver(
      completions.filter(({ operation, handle }) => operation !== Operation.close || !this.#told.has(handle)),
    );
  }
}

export const completesInsideClose: BrokenFake = brokenFake(
  'C1',
  'completes a close inside close() when nothing is in flight',
  breakWith(ImpatientPort),
);
