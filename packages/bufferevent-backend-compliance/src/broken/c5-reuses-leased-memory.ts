import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** One slab for all, taken from the start again with each completion, whoever still holds a lease. */
class OneSlabPort extends BrokenPort {
  readonly #slab = new Uint8Array(1 << 20);

  protected override receive(completions: readonly FakeCompletion[]): void {
    for (const one of completions) this.deliver([this.#moved(one)]);
  }

  #moved(one: FakeCompletion): FakeCompletion {
    if (one.memory === undefined || one.start === undefined) return one;
    this.#slab.set(one.memory.subarray(one.start, one.start + one.result));
    return { ...one, memory: this.#slab, start: 0 };
  }
}

export const reusesLeasedMemory: BrokenFake = brokenFake(
  'C5',
  'receives into memory whose lease is still out',
  breakWith(OneSlabPort),
);
