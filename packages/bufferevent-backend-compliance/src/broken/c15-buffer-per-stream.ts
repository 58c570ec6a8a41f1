import { type Handle, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

const BUFFER = 65_536;

/** Allocates where the bytes will go when the recv is submitted, for every stream that waits. */
class BufferPerStreamPort extends BrokenPort {
  readonly #buffers = new Map<Handle, Uint8Array>();

  override recv(stream: Handle, max: number): void {
    this.below.recv(stream, max);
    if (!this.#buffers.has(stream)) this.#buffers.set(stream, new Uint8Array(Math.min(Math.max(max, BUFFER), 2 ** 20)));
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    for (const { operation, handle } of completions) if (operation === Operation.recv) this.#buffers.delete(handle);
    this.deliver(completions);
  }
}

export const bufferPerStream: BrokenFake = brokenFake(
  'C15',
  'pins a buffer for each stream that waits for bytes',
  breakWith(BufferPerStreamPort),
);
