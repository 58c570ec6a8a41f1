import {
  type Backend,
  BackendError,
  type BackendSupports,
  type CompletionBatch,
  type CompletionSink,
  type Handle,
  type Lease,
  Operation,
  type Port,
  type PortOptions,
  surface,
} from 'bufferevent-backend';
import { PortDecorator } from 'bufferevent-backend/memory';

/** One completion that a fake has taken out of a batch, changed or made up. */
export interface FakeCompletion {
  readonly operation: Operation;
  readonly handle: Handle;
  readonly result: number;
  readonly memory?: Uint8Array;
  readonly start?: number;
  readonly lease?: Lease;
}

class ListBatch implements CompletionBatch {
  /** One more than the highest index that was looked at. */
  touched = 0;
  readonly #list: readonly FakeCompletion[];

  constructor(list: readonly FakeCompletion[]) {
    this.#list = list;
  }

  get length(): number {
    return this.#list.length;
  }

  operation(index: number): Operation {
    return this.#at(index).operation;
  }

  handle(index: number): Handle {
    return this.#at(index).handle;
  }

  result(index: number): number {
    return this.#at(index).result;
  }

  memory(index: number): Uint8Array {
    return this.#at(index).memory ?? new Uint8Array(0);
  }

  start(index: number): number {
    return this.#at(index).start ?? 0;
  }

  lease(index: number): Lease {
    return this.#at(index).lease ?? 0;
  }

  #at(index: number): FakeCompletion {
    const completion = this.#list[index];
    if (completion === undefined) throw new RangeError(`completion ${index} of ${this.#list.length}`);
    this.touched = Math.max(this.touched, index + 1);
    return completion;
  }
}

/**
 * A port over another that passes everything on. Fakes override what they break: a verb, or {@link receive}. Not a way
 * to build anything that is used.
 */
export class BrokenPort extends PortDecorator {
  readonly #sink: CompletionSink;

  constructor(backend: Backend, below: Backend, sink: CompletionSink, options: PortOptions | undefined) {
    let receive = (_: readonly FakeCompletion[]): void => {};
    super(
      backend,
      below.createPort((batch) => receive(takeOut(batch)), options),
    );
    this.#sink = sink;
    receive = (completions) => this.receive(completions);
  }

  /** What finished below. */
  protected receive(completions: readonly FakeCompletion[]): void {
    this.deliver(completions);
  }

  /** Hands completions up, if there are any. */
  protected deliver(completions: readonly FakeCompletion[]): void {
    if (completions.length === 0) return;
    const batch = new ListBatch(completions);
    try {
      this.#sink(batch);
    } catch (error) {
      surface(error);
      this.sinkThrew(completions.slice(Math.max(1, batch.touched)));
    }
  }

  /** What a throwing sink had not come to goes up again. */
  protected sinkThrew(rest: readonly FakeCompletion[]): void {
    this.deliver(rest);
  }

  /** For what a fake does of its own accord: the handle or the port may be closed by now. */
  protected attempt(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
    }
  }

  /** The same in the next turn of the loop. */
  protected deliverLater(completion: FakeCompletion): void {
    setImmediate(() => this.deliver([completion]));
  }
}

/** A backend whose ports are of the given class, and whose manifest says of itself what `lies` says. */
export function breakWith(
  Kind: new (backend: Backend, below: Backend, sink: CompletionSink, options: PortOptions | undefined) => Port,
  lies: Partial<BackendSupports> = {},
): (below: Backend) => Backend {
  return (below) => {
    const backend: Backend = {
      name: `${below.name} (broken)`,
      supports: { ...below.supports, ...lies },
      isAvailable: () => true,
      unavailabilityReason: () => null,
      createPort: (sink, options) => new Kind(backend, below, sink, options),
    };
    return backend;
  };
}

/** The completion that ends a handle. */
export function isLast({ operation }: FakeCompletion): boolean {
  return operation === Operation.close || operation === Operation.reset || operation === Operation.detach;
}

function takeOut(batch: CompletionBatch): FakeCompletion[] {
  const list: FakeCompletion[] = [];
  for (let index = 0; index < batch.length; index++) {
    const operation = batch.operation(index);
    const handle = batch.handle(index);
    const result = batch.result(index);
    if (operation !== Operation.recv || result <= 0) list.push({ operation, handle, result });
    else {
      const memory = batch.memory(index);
      list.push({ operation, handle, result, memory, start: batch.start(index), lease: batch.lease(index) });
    }
  }
  return list;
}
