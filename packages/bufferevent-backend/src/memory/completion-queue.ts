import type { CompletionBatch, Handle, Lease, Operation } from '../contract.js';
import type { Endpoint } from './endpoint.js';
import type { Block } from './slab-pool.js';

/** One finished operation on its way to the sink. Recycled. */
export interface Completion {
  operation: Operation;
  handle: Handle;
  result: number;
  /** Whose operation it was. */
  endpoint: Endpoint | null;
  /** The operation is over; false for an accept with credits left. */
  final: boolean;
  block: Block | null;
  lease: Lease;
}

/** Completions in the order in which they finished; records are reused. */
export class CompletionQueue {
  #records: Completion[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(
    operation: Operation,
    endpoint: Endpoint,
    result: number,
    final: boolean,
    block: Block | null,
    lease: Lease,
  ): void {
    const record = this.#records[this.#length];
    if (record === undefined) {
      this.#records.push({ operation, handle: endpoint.handle, result, endpoint, final, block, lease });
    } else {
      record.operation = operation;
      record.handle = endpoint.handle;
      record.result = result;
      record.endpoint = endpoint;
      record.final = final;
      record.block = block;
      record.lease = lease;
    }
    this.#length++;
  }

  at(index: number): Completion {
    return this.#records[index] as Completion;
  }

  /** Forgets everything and what it referred to. */
  clear(): void {
    for (let index = 0; index < this.#length; index++) {
      const record = this.#records[index] as Completion;
      record.endpoint = null;
      record.block = null;
    }
    this.#length = 0;
  }

  /** Puts the records of `other` from `from` on before those held here. They have been accounted for already. */
  putBack(other: CompletionQueue, from: number): void {
    const late = this.#records.slice(0, this.#length);
    const kept = other.#records
      .slice(from, other.#length)
      .map((record) => ({ ...record, endpoint: null, final: false }));
    this.#records = [...kept, ...late];
    this.#length = this.#records.length;
  }
}

/** The one cursor of a port. Open while the sink runs; every reading at another time throws. */
export class MemoryBatch implements CompletionBatch {
  #queue: CompletionQueue | null = null;
  #touched = 0;

  open(queue: CompletionQueue): void {
    this.#queue = queue;
    this.#touched = 0;
  }

  close(): void {
    this.#queue = null;
  }

  /** One more than the highest index that the sink has looked at: a sink that throws has had those (C19). */
  get touched(): number {
    return this.#touched;
  }

  get length(): number {
    return this.#open().length;
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
    return this.#block(index).memory;
  }

  start(index: number): number {
    return this.#block(index).start;
  }

  lease(index: number): Lease {
    this.#block(index);
    return this.#at(index).lease;
  }

  #open(): CompletionQueue {
    if (this.#queue === null) throw new Error('completion batch read after the sink returned');
    return this.#queue;
  }

  #at(index: number): Completion {
    const queue = this.#open();
    if (!(index >= 0 && index < queue.length)) {
      throw new RangeError(`completion ${index} of a batch of ${queue.length}`);
    }
    if (index >= this.#touched) this.#touched = index + 1;
    return queue.at(index);
  }

  #block(index: number): Block {
    const { block } = this.#at(index);
    if (block === null) throw new Error(`completion ${index} carries no memory: not a recv with bytes`);
    return block;
  }
}
