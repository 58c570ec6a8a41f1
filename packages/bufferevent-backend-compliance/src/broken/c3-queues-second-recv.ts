import { BackendError, type Handle, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Is kind to callers that submit twice: nobody can tell any more which completion is which. */
class QueueingPort extends BrokenPort {
  readonly #waiting = new Map<Handle, number[]>();

  override recv(stream: Handle, max: number): void {
    try {
      this.below.recv(stream, max);
    } catch (error) {
      if (!(error instanceof BackendError) || error.code !== 'ERR_BACKEND_BUSY') throw error;
      this.#waiting.set(stream, [...(this.#waiting.get(stream) ?? []), max]);
    }
  }

  override close(handle: Handle): void {
    this.#waiting.delete(handle);
    this.below.close(handle);
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    for (const { handle, operation } of completions) {
      const max = operation === Operation.recv ? this.#waiting.get(handle)?.shift() : undefined;
      if (max !== undefined) this.attempt(() => this.below.recv(handle, max));
    }
    this.deliver(completions);
  }
}

export const queuesSecondRecv: BrokenFake = brokenFake(
  'C3',
  'takes a second recv on a stream and queues it',
  breakWith(QueueingPort),
);
