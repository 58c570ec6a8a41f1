import { Errno, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Forgets an operation when it is cancelled: whoever waits for its end waits for ever. */
class ForgetfulPort extends BrokenPort {
  protected override receive(completions: readonly FakeCompletion[]): void {
    this.deliver(
      completions.filter(({ operation, result }) => operation !== Operation.recv || result !== -Errno.ECANCELED),
    );
  }
}

export const losesCancelledRecv: BrokenFake = brokenFake(
  'C2',
  'never completes a recv that was cancelled',
  breakWith(ForgetfulPort),
);
