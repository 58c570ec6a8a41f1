import { argumentRangeError, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import { checkInteger, checkObject } from './arguments.js';
import type { Limits } from './limits.js';

/** Two fill levels of a buffer, in bytes. A high mark of 0 means none; `Infinity` may be set for it, as in limits. */
export interface Watermarks {
  readonly low: number;
  readonly high: number;
}

const markNames: OptionNames<Watermarks> = { low: true, high: true };

/** `marks` laid over `current`. Throws `RangeError` for what is no count of bytes, and for low above high (RD-6). */
export function resolveMarks(current: Watermarks, marks: Partial<Watermarks>): Watermarks {
  checkObject('marks', marks);
  checkOptionNames('marks', marks, markNames);
  const low = marks.low ?? current.low;
  const high = markOfLimit(marks.high ?? current.high);
  checkInteger('low', low, 0);
  checkInteger('high', high, 0);
  if (high !== 0 && low > high) throw argumentRangeError('low', `at most the high mark of ${high}`, low);
  return { low, high };
}

interface InitialMarks {
  readonly read: Watermarks;
  readonly write: Watermarks;
}

const initialMarksOf: WeakMap<Limits, InitialMarks> = new WeakMap();

/** @internal The marks that a connection starts with: the same objects for all with the same limits. */
export function initialMarks(limits: Limits): InitialMarks {
  let marks = initialMarksOf.get(limits);
  if (marks === undefined) {
    marks = {
      read: Object.freeze({ low: 0, high: markOfLimit(limits.inputHighWatermark) }),
      write: Object.freeze({ low: 0, high: markOfLimit(limits.outputHighWatermark) }),
    };
    initialMarksOf.set(limits, marks);
  }
  return marks;
}

function markOfLimit(limit: number): number {
  return limit === Infinity ? 0 : limit;
}
