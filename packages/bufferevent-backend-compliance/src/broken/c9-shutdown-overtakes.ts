import { type Handle, Operation, type Segment } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion, isLast } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Completes a shutdown as soon as it was asked for, whatever is still to be sent. */
class OvertakingPort extends BrokenPort {
  readonly #sending = new Set<Handle>();
  readonly #told = new Set<Handle>();

  override send(stream: Handle, segments: readonly Segment[], count?: number): void {
    this.below.send(stream, segments, count);
    this.#sending.add(stream);
  }

  override shutdown(stream: Handle): void {
    this.below.shutdown(stream);
    if (!this.#sending.has(stream)) return;
    this.#told.add(stream);
    this.deliverLater({ operation: Operation.shutdown, handle: stream, result: 0 });
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    const wanted = completions.filter((one) => {
      if (one.operation === Operation.send) this.#sending.delete(one.handle);
      if (isLast(one)) this.#sending.delete(one.handle);
      return one.operation !== Operation.shutdown || !this.#told.delete(one.handle);
    });
    this.deliver(wanted);
  }
}

export const shutdownOvertakes: BrokenFake = brokenFake(
  'C9',
  'completes a shutdown before the send that was in flight',
  breakWith(OvertakingPort),
);
