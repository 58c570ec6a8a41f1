import { type Handle, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Ends its own direction when the peer has ended the other: the default of more than one socket library. */
class NotHalfOpenPort extends BrokenPort {
  readonly #ended = new Set<Handle>();

  override shutdown(stream: Handle): void {
    if (!this.#ended.has(stream)) {
      this.below.shutdown(stream);
      this.#ended.add(stream);
    } else this.deliverLater({ operation: Operation.shutdown, handle: stream, result: 0 });
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    const own = new Set<FakeCompletion>();
    for (const one of completions) {
      if (one.operation === Operation.shutdown && this.#silent.delete(one.handle)) own.add(one);
      if (one.operation !== Operation.recv || one.result !== 0 || this.#ended.has(one.handle)) continue;
      this.#ended.add(one.handle);
      this.#silent.add(one.handle);
      this.attempt(() => this.below.shutdown(one.handle));
    }
    this.deliver(completions.filter((one) => !own.has(one)));
  }

  /** Shutdowns that nobody above has asked for. */
  readonly #silent = new Set<Handle>();
}

export const answersEndWithEnd: BrokenFake = brokenFake(
  'C10',
  'ends the sending direction when the peer has ended',
  breakWith(NotHalfOpenPort),
);
