import { Errno, type Handle, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** What a message that was cut off looks like where a mechanism does not read again behind the last bytes. */
class CuttingPort extends BrokenPort {
  readonly #received = new Set<Handle>();

  protected override receive(completions: readonly FakeCompletion[]): void {
    this.deliver(completions.map((one) => this.#cut(one)));
  }

  #cut(one: FakeCompletion): FakeCompletion {
    if (one.operation !== Operation.recv) return one;
    if (one.result > 0) this.#received.add(one.handle);
    return one.result === -Errno.ECONNRESET && this.#received.has(one.handle) ? { ...one, result: 0 } : one;
  }
}

export const resetAsEnd: BrokenFake = brokenFake(
  'C13',
  'takes a reset behind bytes for the end of the stream',
  breakWith(CuttingPort),
);
