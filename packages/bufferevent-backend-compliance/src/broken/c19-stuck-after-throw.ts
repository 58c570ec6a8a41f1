import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Guards against re-entry with a flag that an exception leaves set. */
class StuckPort extends BrokenPort {
  #delivering = false;

  protected override receive(completions: readonly FakeCompletion[]): void {
    if (!this.#delivering) this.deliver(completions);
  }

  protected override sinkThrew(_rest: readonly FakeCompletion[]): void {
    this.#delivering = true;
  }
}

export const stuckAfterThrow: BrokenFake = brokenFake(
  'C19',
  'delivers nothing more after the sink has thrown',
  breakWith(StuckPort),
);
