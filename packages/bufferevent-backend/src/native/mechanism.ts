import type { PortStats } from '../contract.js';
import type { NativeBinding } from './binding.js';

/** What a native mechanism brings to one of its ports. */
export interface NativeMechanism {
  readonly binding: NativeBinding;
  /** Doubles, as many as `COUNTERS`, in which the native half counts. */
  readonly counters: Float64Array;
  /** The system call that opens the mechanism: named when it fails. */
  readonly openCall: string;
  /** The mechanism's own code of a failure, for traces, out of its two words in the ring: `result` and `start`. */
  rawCode(result: number, start: number): string | number;
}

/** What every port over a native mechanism counts. */
export interface NativePortStats extends PortStats {
  /** Times that the native half called JavaScript. */
  readonly calls: number;
  /** Times that JavaScript called the native half of a port that was open. */
  readonly nativeCalls: number;
}
