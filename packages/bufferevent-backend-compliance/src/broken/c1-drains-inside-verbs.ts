import type { Handle, Segment } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Makes room in its ring before it submits, by delivering what lies there. */
class DrainingPort extends BrokenPort {
  #held: FakeCompletion[] = [];

  override recv(stream: Handle, max: number): void {
    this.#drain();
    this.below.recv(stream, max);
  }

  override send(stream: Handle, segments: readonly Segment[], count?: number): void {
    this.#drain();
    this.below.send(stream, segments, count);
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    this.#held.push(...completions);
    setImmediate(() => this.#drain());
  }

  #drain(): void {
    const held = this.#held;
    this.#held = [];
    this.deliver(held);
  }
}

export const drainsInsideVerbs: BrokenFake = brokenFake(
  'C1',
  'delivers what has finished meanwhile inside recv() and send()',
  breakWith(DrainingPort),
);
