import type { ChurnWay, IdleKind, PeerId, RecordsHow } from './works.js';

/** What a run measured, as it is kept beside the docs: the numbers of every round. */
export interface Results {
  readonly run: RunDescription;
  /** By the id of the work; rounds of the same index ran side by side. */
  readonly rounds: Readonly<Record<string, RoundsByPeer>>;
  /** Records that the adds became. */
  readonly records: Readonly<Partial<Record<RecordsHow, number>>>;
  /** Resident bytes of a connection. */
  readonly idle: Readonly<Partial<Record<IdleKind, readonly number[]>>>;
  /** Bytes that OpenSSL itself has allocated for one; `null` when that was not measured. */
  readonly heldBytes: number | null;
  /** The median of resident memory in each third of the run, in MiB. */
  readonly churn: Readonly<Partial<Record<ChurnWay, MemoryThirds>>>;
}

export type RoundsByPeer = Readonly<Partial<Record<PeerId, readonly Round[]>>>;

export interface Round {
  /** For each second of CPU time, in the unit of the work. */
  readonly perCpuSecond: number;
  /** Of an echo: how full the cores of the server and of its load were. */
  readonly serverPercent?: number;
  readonly loadPercent?: number;
}

export interface MemoryThirds {
  readonly first: number;
  readonly middle: number;
  readonly last: number;
}

export interface RunDescription {
  readonly date: string;
  readonly node: string;
  readonly openssl: string;
  readonly machine: string;
  readonly command: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly leadInSeconds: number;
  readonly idleRounds: number;
  readonly idleConnections: number;
  readonly churnConnections: number;
  /** What was left out, and why. */
  readonly leftOut: readonly string[];
}
