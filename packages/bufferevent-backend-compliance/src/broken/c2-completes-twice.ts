import { Errno, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Two paths lead to the end of an accept, and each reports it. */
class RepeatingPort extends BrokenPort {
  protected override receive(completions: readonly FakeCompletion[]): void {
    this.deliver(
      completions.flatMap((one) =>
        one.operation === Operation.accept && one.result === -Errno.ECANCELED ? [one, one] : [one],
      ),
    );
  }
}

export const completesTwice: BrokenFake = brokenFake(
  'C2',
  'ends the remaining credits of an accept twice',
  breakWith(RepeatingPort),
);
