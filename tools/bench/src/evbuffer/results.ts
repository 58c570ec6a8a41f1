import type { BundleSize } from './bundle-size.js';
import type { MemoryThirds } from './memory.js';
import type { PeerName } from './works.js';

/** What a run measured, as it is kept beside the docs: raw numbers of every round, by the ids of works and scales. */
export interface Results {
  readonly run: RunDescription;
  /** CPU time in ns, one for each round; rounds of the same index ran side by side. */
  readonly times: Readonly<Record<string, TimesByPeer>>;
  /** CPU time in ns, for each state of the queue one for each round. */
  readonly scales: Readonly<Record<string, RoundsByState>>;
  /** The same of libevent, where it is measured too. */
  readonly libeventScales: Readonly<Record<string, RoundsByState>>;
  /** Bytes for each operation. */
  readonly garbage: Readonly<Record<string, Readonly<Partial<Record<PeerName, number>>>>>;
  readonly memory: Readonly<Record<string, MemoryThirds>>;
  readonly size: BundleSize | null;
}

export type TimesByPeer = Readonly<Partial<Record<PeerName, readonly number[]>>>;

export type RoundsByState = readonly (readonly number[])[];

export interface RunDescription {
  readonly date: string;
  readonly node: string;
  readonly machine: string;
  readonly command: string;
  readonly rounds: number;
  readonly scaleRounds: number;
  readonly memoryGibibytes: number;
  /** Why libevent was not measured, if so. */
  readonly libeventMissing: string | null;
}
