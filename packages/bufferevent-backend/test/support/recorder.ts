import {
  type Backend,
  type CompletionBatch,
  type Handle,
  type Lease,
  Operation,
  type Port,
  type PortOptions,
  type Segment,
} from 'bufferevent-backend';

/** One completion, taken out of its batch. */
export interface Seen {
  readonly operation: Operation;
  readonly handle: Handle;
  readonly result: number;
  /** A copy of the received bytes. */
  readonly bytes: Uint8Array;
  readonly lease: Lease;
  /** Which call of the sink brought it, from 1. */
  readonly batch: number;
}

/** A port that remembers what completed; leases are given back at once unless `keep` is set. */
export class Recorder {
  readonly port: Port;
  readonly seen: Seen[] = [];
  keep = false;
  /** Called for every completion, from the sink. */
  on: (seen: Seen) => void = () => {};
  #batches = 0;

  constructor(backend: Backend, options?: PortOptions) {
    this.port = backend.createPort((batch) => this.#sink(batch), options);
  }

  /** Takes out the first completion of that kind on that handle; throws when there is none. */
  take(operation: Operation, handle: Handle): Seen {
    const index = this.seen.findIndex((one) => one.operation === operation && one.handle === handle);
    if (index === -1) throw new Error(`nothing of kind ${operation} completed on ${handle}`);
    return this.seen.splice(index, 1)[0] as Seen;
  }

  /** Results of one kind on one handle, not taken out. */
  results(operation: Operation, handle: Handle): number[] {
    return this.seen.filter((one) => one.operation === operation && one.handle === handle).map((one) => one.result);
  }

  #sink(batch: CompletionBatch): void {
    this.#batches++;
    const mine: Seen[] = [];
    for (let index = 0; index < batch.length; index++) {
      const operation = batch.operation(index);
      const result = batch.result(index);
      let bytes = new Uint8Array(0);
      let lease = 0;
      if (operation === Operation.recv && result > 0) {
        const start = batch.start(index);
        bytes = batch.memory(index).slice(start, start + result);
        lease = batch.lease(index);
        if (!this.keep) this.port.release(lease);
      }
      mine.push({ operation, handle: batch.handle(index), result, bytes, lease, batch: this.#batches });
    }
    for (const one of mine) {
      this.seen.push(one);
      this.on(one);
    }
  }
}

export function whole(memory: Uint8Array): Segment[] {
  return [{ memory, start: 0, end: memory.length }];
}

export function text(words: string): Segment[] {
  return whole(new TextEncoder().encode(words));
}

/** Bytes that count up, from `first` on. */
export function counting(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff);
}
