import type { InputSide } from './input-side.js';
import { type LineForm, LinePull } from './pull.js';

type LineStep = IteratorResult<string, undefined>;

/**
 * What `lines()` loops over. Lines that are there already are handed out one by one without waiting, and none is taken
 * before it is asked for: whoever leaves the loop, or pulls in between, finds the rest in the input.
 */
export class LineIterator implements AsyncIterableIterator<string, undefined> {
  readonly #input: InputSide;
  readonly #form: LineForm;
  #left = false;

  constructor(input: InputSide, form: LineForm) {
    this.#input = input;
    this.#form = form;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<LineStep> {
    if (this.#left) return Promise.resolve(over);
    const { signal } = this.#form;
    if (signal?.aborted !== true) {
      try {
        const line = this.#input.readyLine(this.#form);
        if (line !== null) return Promise.resolve({ value: line, done: false });
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#input.pull(new LinePull(this.#form, toStep), signal);
  }

  return(): Promise<LineStep> {
    this.#left = true;
    return Promise.resolve(over);
  }
}

const over: IteratorReturnResult<undefined> = Object.freeze({ value: undefined, done: true });

function toStep(line: string | null): LineStep {
  return line === null ? over : { value: line, done: false };
}
