import type { PortStats } from '../contract.js';
import { CounterIndex } from '../ring.js';
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

/** System calls made since a port was made, by kind; what each kind is, the mechanism says. */
export interface SystemCalls {
  /** Those that bring what has happened. */
  readonly waits: number;
  /** Those that change what is waited for. */
  readonly controls: number;
  readonly reads: number;
  readonly writes: number;
  readonly accepts: number;
}

/** What a native half counts. */
export interface NativeCounts {
  readonly systemCalls: SystemCalls;
  /** Times that the native half called JavaScript. */
  readonly calls: number;
  /** Times that JavaScript called the native half of a port that was open. */
  readonly nativeCalls: number;
}

export interface NativePortStats extends PortStats, NativeCounts {}

export function countsOf(counters: Float64Array): NativeCounts {
  const of = (name: keyof typeof CounterIndex): number => counters[CounterIndex[name]] as number;
  return {
    systemCalls: {
      waits: of('waits'),
      controls: of('controls'),
      reads: of('reads'),
      writes: of('writes'),
      accepts: of('accepts'),
    },
    calls: of('calls'),
    nativeCalls: of('nativeCalls'),
  };
}
