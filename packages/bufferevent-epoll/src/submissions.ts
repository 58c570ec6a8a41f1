import { ControlWord } from 'bufferevent-backend/ring';

/** Words of the ring: many times the longest submission. */
const RING_WORDS = 16 * 1024;

/**
 * Where submissions wait until the native half reads them:
 *
 *     ┌──────┬──────┬─────┬──────┬───────────────┐
 *     │ recv │ slot │ max │ send │ …             │   `control[submissionWords]` words are used
 *     └──────┴──────┴─────┴──────┴───────────────┘
 */
export class Submissions {
  readonly words: Int32Array = new Int32Array(RING_WORDS);
  readonly #control: Int32Array;
  readonly #flush: () => void;

  /** @param flush makes the native half read everything at once */
  constructor(control: Int32Array, flush: () => void) {
    this.#control = control;
    this.#flush = flush;
  }

  get isEmpty(): boolean {
    return this.#control[ControlWord.submissionWords] === 0;
  }

  /** Index of `count` words to be written now, all of them. */
  take(count: number): number {
    let at = this.#control[ControlWord.submissionWords] as number;
    if (at + count > RING_WORDS) {
      this.#flush();
      at = this.#control[ControlWord.submissionWords] as number;
    }
    this.#control[ControlWord.submissionWords] = at + count;
    return at;
  }

  two(verb: number, subject: number): void {
    const at = this.take(2);
    this.words[at] = verb;
    this.words[at + 1] = subject;
  }

  three(verb: number, subject: number, argument: number): void {
    const at = this.take(3);
    this.words[at] = verb;
    this.words[at + 1] = subject;
    this.words[at + 2] = argument;
  }
}
