import type { CompletionBatch, Handle, Lease, Operation } from '../contract.js';
import type { Endpoint } from './endpoint.js';
import type { Block } from './slab-pool.js';

/** One finished operation on its way to the sink. */
export interface Completion {
  operation: Operation;
  handle: Handle;
  result: number;
  /** The operation is over; false for an accept with credits left. */
  final: boolean;
  memory: Uint8Array | null;
  start: number;
  lease: Lease;
  /** Whose operation it was, where the port below is the memory port. */
  endpoint: Endpoint | null;
  /** Its port has taken note of it: it is only handed over once more, after a sink that threw. */
  settled: boolean;
}

/** Completions in the order in which they finished; records are reused. */
export class CompletionQueue {
  #records: Completion[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a completion without memory; the caller may complete the record until the next call. */
  push(operation: Operation, handle: Handle, result: number, final: boolean): Completion {
    let record = this.#records[this.#length];
    if (record === undefined) {
      record = blank(operation);
      this.#records.push(record);
    }
    record.operation = operation;
    record.handle = handle;
    record.result = result;
    record.final = final;
    record.settled = false;
    this.#length++;
    return record;
  }

  at(index: number): Completion {
    return this.#records[index] as Completion;
  }

  /** Forgets everything and what it referred to. */
  clear(): void {
    for (let index = 0; index < this.#length; index++) {
      const record = this.#records[index] as Completion;
      record.endpoint = null;
      record.memory = null;
    }
    this.#length = 0;
  }

  /** Puts the records of `other` from `from` on before those held here. */
  putBack(other: CompletionQueue, from: number): void {
    const late = this.#records.slice(0, this.#length);
    const kept = other.#records.slice(from, other.#length).map((record) => ({ ...record, settled: true }));
    this.#records = [...kept, ...late];
    this.#length = this.#records.length;
  }
}

function blank(operation: Operation): Completion {
  return {
    operation,
    handle: 0,
    result: 0,
    final: true,
    memory: null,
    start: 0,
    lease: 0,
    endpoint: null,
    settled: false,
  };
}

/** Adds a block that carries received bytes to a record. */
export function carry(record: Completion, block: Block, lease: Lease): void {
  record.memory = block.memory;
  record.start = block.start;
  record.lease = lease;
}

/** The one cursor of a port. Open while the sink runs; every reading at another time throws. */
export class QueueBatch implements CompletionBatch {
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
    return this.#loaded(index).memory as Uint8Array;
  }

  start(index: number): number {
    return this.#loaded(index).start;
  }

  lease(index: number): Lease {
    return this.#loaded(index).lease;
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

  #loaded(index: number): Completion {
    const record = this.#at(index);
    if (record.memory === null) throw new Error(`completion ${index} carries no memory: not a recv with bytes`);
    return record;
  }
}
