import { BrokenPort, breakWith, type FakeCompletion, isLast } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Reports the close at once and what it cancelled afterwards. */
class CloseFirstPort extends BrokenPort {
  protected override receive(completions: readonly FakeCompletion[]): void {
    this.deliver([...completions.filter(isLast), ...completions.filter((one) => !isLast(one))]);
  }
}

export const closeFirst: BrokenFake = brokenFake(
  'C11',
  'completes a close before the operations that it cancelled',
  breakWith(CloseFirstPort),
);
