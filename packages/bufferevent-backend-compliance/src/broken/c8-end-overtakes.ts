import { type Handle, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Takes the hang-up flag of the system for the end of the stream, with bytes still unread. */
class HastyPort extends BrokenPort {
  readonly #ended = new Set<Handle>();

  override recv(stream: Handle, max: number): void {
    if (!this.#ended.has(stream)) return this.below.recv(stream, max);
    this.deliverLater({ operation: Operation.recv, handle: stream, result: 0 });
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    for (const { operation, handle, result } of completions) {
      if (operation === Operation.connect && result === 0) this.attempt(() => this.below.watchPeer(handle));
      if (operation === Operation.accept && result > 0) this.attempt(() => this.below.watchPeer(result));
      if (operation === Operation.watchPeer && result === 0) this.#ended.add(handle);
    }
    this.deliver(completions.filter(({ operation }) => operation !== Operation.watchPeer));
  }
}

export const endOvertakes: BrokenFake = brokenFake(
  'C8',
  'reports the end of a stream before the bytes that came with it',
  breakWith(HastyPort),
  { supports: { peerClose: true } },
);
