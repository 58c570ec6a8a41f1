import type { CompletionBatch, CompletionSink, Handle, Lease, Operation } from '../contract.js';
import { errnoName, resultOfErrnoName } from '../errno.js';
import { COMPLETION_WORDS, CompletionWord } from '../ring.js';
import { surface } from '../surface.js';
import type { PortMemory } from './port-memory.js';

/** Records of the ring: what one call into JavaScript can bring. */
const RING_RECORDS = 4096;

/**
 * The completions of one call into JavaScript: the records of the ring, and beside them what only this side knows. Only
 * those that are to be seen are kept; `first` skips what a sink that threw has seen already.
 */
export class Completions implements CompletionBatch {
  readonly words: Int32Array = new Int32Array(RING_RECORDS * COMPLETION_WORDS);
  readonly #memory: () => PortMemory;
  /** For each completion that is seen: its record, its handle, its result, its lease. */
  readonly #records: Int32Array = new Int32Array(RING_RECORDS);
  /** No array of doubles: a small integer out of such a one costs whoever keeps it an object. */
  readonly #handles: number[] = new Array<number>(RING_RECORDS).fill(0);
  readonly #results: number[] = new Array<number>(RING_RECORDS).fill(0);
  readonly #leases: Float64Array = new Float64Array(RING_RECORDS);
  #first = 0;
  #end = 0;
  /** Completions of which something was asked. */
  #touched = 0;
  /** Since the port was made: times that the sink was called, and completions that it was given. */
  batches = 0;
  delivered = 0;

  constructor(memory: () => PortMemory) {
    this.#memory = memory;
  }

  get length(): number {
    return this.#end - this.#first;
  }

  word(record: number, word: number): number {
    return this.words[record * COMPLETION_WORDS + word] as number;
  }

  clear(): void {
    this.#first = 0;
    this.#end = 0;
    this.#touched = 0;
  }

  add(record: number, handle: Handle, result: number, lease: Lease): void {
    const index = this.#end++;
    this.#records[index] = record;
    this.#handles[index] = handle;
    this.#results[index] = result;
    this.#leases[index] = lease;
  }

  /** Calls the sink, again with what is left when it throws: the exception surfaces by itself (C19). */
  deliver(sink: CompletionSink): void {
    while (this.length > 0) {
      const { length } = this;
      this.batches++;
      try {
        sink(this);
        this.delivered += length;
        return;
      } catch (error) {
        surface(error);
        this.#skipTouched();
        this.delivered += length - this.length;
      }
    }
  }

  /** Leaves out what was looked at, at least one. */
  #skipTouched(): void {
    this.#first += Math.max(1, this.#touched);
    this.#touched = 0;
  }

  operation(index: number): Operation {
    if (index >= this.#touched) this.#touched = index + 1;
    return this.#word(index, CompletionWord.operation) as Operation;
  }

  handle(index: number): Handle {
    if (index >= this.#touched) this.#touched = index + 1;
    return this.#handles[this.#first + index] as number;
  }

  result(index: number): number {
    if (index >= this.#touched) this.#touched = index + 1;
    return this.#results[this.#first + index] as number;
  }

  memory(index: number): Uint8Array {
    return this.#memory().slab(this.#word(index, CompletionWord.memory));
  }

  start(index: number): number {
    return this.#word(index, CompletionWord.start);
  }

  lease(index: number): Lease {
    return this.#leases[this.#first + index] as number;
  }

  #word(index: number, word: number): number {
    return this.word(this.#records[this.#first + index] as number, word);
  }
}

/** A result of the system as the one table has it (C13). */
export function tabled(result: number): number {
  return result >= 0 ? result : resultOfErrnoName(errnoName(result));
}

/** Whether an accept that fails so is over. After every other failure it goes on by itself (C20). */
export function endsAccepting(result: number): boolean {
  return errnoName(result) === 'ECANCELED';
}
