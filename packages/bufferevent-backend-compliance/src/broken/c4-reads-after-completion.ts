import { type Handle, Operation, type Segment } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

interface Behind {
  /** Live views of memory that its owner believes to have back. */
  readonly parts: Segment[];
  busy: boolean;
}

/** Writes behind without a copy: says "sent" when it has taken note, reads the memory when there is time. */
class WriteBehindPort extends BrokenPort {
  readonly #behind = new Map<Handle, Behind>();

  override send(stream: Handle, segments: readonly Segment[], count: number = segments.length): void {
    const behind = this.#behind.get(stream) ?? { parts: [], busy: false };
    if (behind.parts.length > 100) return this.below.send(stream, segments, count);
    this.below.address(stream);
    this.#behind.set(stream, behind);
    const parts = segments.slice(0, count).filter(({ start, end }) => end > start);
    behind.parts.push(...parts.map((part) => ({ ...part })));
    const result = parts.reduce((sum, { start, end }) => sum + end - start, 0);
    setImmediate(() => {
      this.deliver([{ operation: Operation.send, handle: stream, result }]);
      setImmediate(() => this.#pump(stream, behind));
    });
  }

  override close(handle: Handle): void {
    this.#behind.delete(handle);
    this.below.close(handle);
  }

  override [Symbol.asyncDispose](): Promise<void> {
    this.#behind.clear();
    return this.below[Symbol.asyncDispose]();
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    this.deliver(
      completions.filter(({ operation, handle, result }) => {
        const behind = this.#behind.get(handle);
        if (operation !== Operation.send || behind === undefined) return true;
        behind.busy = false;
        advance(behind.parts, Math.max(result, 0));
        setImmediate(() => this.#pump(handle, behind));
        return false;
      }),
    );
  }

  #pump(stream: Handle, behind: Behind): void {
    if (behind.busy || behind.parts.length === 0 || this.#behind.get(stream) !== behind) return;
    behind.busy = true;
    this.attempt(() => this.below.send(stream, behind.parts));
  }
}

function advance(parts: Segment[], moved: number): void {
  for (let left = moved; left > 0 && parts[0] !== undefined; ) {
    const step = Math.min(left, parts[0].end - parts[0].start);
    parts[0].start += step;
    left -= step;
    if (parts[0].start === parts[0].end) parts.shift();
  }
}

export const readsAfterCompletion: BrokenFake = brokenFake(
  'C4',
  'completes a send before it has read the memory',
  breakWith(WriteBehindPort),
);
