import type { Evidence } from './evidence.js';
import type { Sample } from './figures.js';
import type { ServerId } from './servers.js';

/** What a run measured, as it is kept beside the docs. */
export interface Results {
  readonly run: RunDescription;
  /** By the id of the work; samples of the same index were measured side by side. */
  readonly samples: Readonly<Record<string, SamplesByServer>>;
  readonly evidence: Evidence | null;
}

export type SamplesByServer = Readonly<Partial<Record<ServerId, readonly Sample[]>>>;

export interface RunDescription {
  readonly date: string;
  readonly node: string;
  readonly machine: string;
  readonly command: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly mebibytes: number;
  /** What was left out, and why. */
  readonly leftOut: readonly string[];
}
