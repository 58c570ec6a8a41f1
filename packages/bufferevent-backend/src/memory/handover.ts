import type { CompletionSink } from '../contract.js';
import { surface } from '../surface.js';
import { type Completion, CompletionQueue, QueueBatch } from './completion-queue.js';

/** Gathers completions and hands them to a sink, one batch a wake-up, whatever the sink does (C19). */
export class Handover {
  readonly #sink: CompletionSink;
  readonly #settle: (completion: Completion) => void;
  readonly #batch = new QueueBatch();
  /** What finishes while the sink runs goes into the other queue, for the next wake-up (C1). */
  #gathering = new CompletionQueue();
  #spare = new CompletionQueue();
  #batches = 0;
  #completions = 0;

  /** @param settle called once for each completion, just before the sink gets it */
  constructor(sink: CompletionSink, settle: (completion: Completion) => void) {
    this.#sink = sink;
    this.#settle = settle;
  }

  get gathering(): CompletionQueue {
    return this.#gathering;
  }

  get batches(): number {
    return this.#batches;
  }

  get completions(): number {
    return this.#completions;
  }

  /**
   * Calls the sink with what was gathered. Returns how many completions are owed again, in front of everything later:
   * those that a throwing sink had not come to.
   */
  deliver(): number {
    const queue = this.#gathering;
    this.#gathering = this.#spare;
    for (let index = 0; index < queue.length; index++) {
      const record = queue.at(index);
      if (!record.settled) this.#settle(record);
    }
    let delivered = queue.length;
    this.#batches++;
    this.#batch.open(queue);
    try {
      this.#sink(this.#batch);
    } catch (error) {
      surface(error);
      // A sink that threw before it looked at anything would do so for ever: it has had the first one.
      delivered = Math.max(1, this.#batch.touched);
      if (delivered < queue.length) this.#gathering.putBack(queue, delivered);
    }
    this.#batch.close();
    const owed = queue.length - delivered;
    queue.clear();
    this.#spare = queue;
    this.#completions += delivered;
    return owed;
  }
}
