import { type CancellableOperation, Errno, type Handle, Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion, isLast } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/**
 * Answers a cancellation at once, while the system still works on the recv: the bytes that it brings belong to nobody
 * and are thrown away.
 */
class DroppingPort extends BrokenPort {
  /** Streams whose recv below was given up, with the recv that waits for its end. */
  readonly #orphans = new Map<Handle, number | null>();
  readonly #receiving = new Set<Handle>();

  override recv(stream: Handle, max: number): void {
    if (this.#orphans.has(stream) && !this.#receiving.has(stream)) this.#orphans.set(stream, max);
    else this.below.recv(stream, max);
    this.#receiving.add(stream);
  }

  override cancel(handle: Handle, operation: CancellableOperation): void {
    if (operation !== Operation.recv) return this.below.cancel(handle, operation);
    this.below.address(handle);
    if (!this.#receiving.delete(handle)) return;
    this.#orphans.set(handle, null);
    this.deliverLater({ operation: Operation.recv, handle, result: -Errno.ECANCELED });
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    const wanted = completions.filter((one) => {
      if (isLast(one)) this.#receiving.delete(one.handle);
      if (one.operation !== Operation.recv) return true;
      const max = this.#orphans.get(one.handle);
      if (max === undefined) {
        this.#receiving.delete(one.handle);
        return true;
      }
      this.#orphans.delete(one.handle);
      if (one.lease !== undefined) this.below.release(one.lease);
      if (max !== null) this.#resubmit(one.handle, max);
      return false;
    });
    this.deliver(wanted);
  }

  #resubmit(stream: Handle, max: number): void {
    try {
      this.below.recv(stream, max);
    } catch {
      // Closed meanwhile: what was due is lost with the rest.
      this.deliverLater({ operation: Operation.recv, handle: stream, result: -Errno.ECANCELED });
    }
  }
}

export const dropsCancelledBytes: BrokenFake = brokenFake(
  'C17',
  'throws the bytes of a cancelled recv away',
  breakWith(DroppingPort),
);
