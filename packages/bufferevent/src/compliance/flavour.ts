import type { Bufferevent } from '../bufferevent.js';
import type { Limits } from '../limits.js';
import type { ManualClock } from '../testing/manual-clock.js';

/**
 * What the suite needs of a test runner. `{ describe, it }` of vitest, node:test, mocha and jest all fit. No hooks are
 * used: every case makes and disposes of its own connections. Cases must not run at the same time in one process:
 * some watch what surfaces as uncaught.
 */
export interface Runner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/** What can be expected of a kind of connection beyond what holds for all. Cases that need more are not registered. */
export interface FlavourSupports {
  /** {@link Setting.clock} drives the time-outs of the ends. */
  readonly clock: boolean;
  /** The end of one side is told to the other, after the bytes before it, and leaves the other direction open. */
  readonly halfClose: boolean;
  /** The peer of an end that was freed, or given up, is told so by an `eof` or an `error` event. */
  readonly abruptClose: boolean;
  /** Files of the system can be added to the output. Not over a memory backend with `sendFile`: its files are its own. */
  readonly files: boolean;
}

/** What a case may ask to be different from the defaults. */
export interface OpenOptions {
  readonly limits?: Partial<Limits>;
}

/** Something that a flavour has set up for a case. */
export interface Setting {
  /** The clock of the base, standing still; there iff `supports.clock`. */
  readonly clock?: ManualClock | undefined;
  /**
   * Resolves when everything that is due between the ends has happened, short of large amounts of data. Cases show with
   * it that nothing more comes.
   */
  settle(): Promise<void>;
  /** Gives everything back, also when ends are freed, failed or half-way through something. */
  close(): Promise<void>;
}

/** Two ends of one connection, as new: no handlers, writing enabled and reading not, default marks, nothing on its way. */
export interface Ends extends Setting {
  readonly a: Bufferevent;
  readonly b: Bufferevent;
}

/** An end that is not connected yet. */
export interface Dialled extends Setting {
  readonly a: Bufferevent;
  /** Starts to connect. The outcome is an event of `a`. */
  connect(): void;
  /** The other end as in {@link Ends}, once it is there. */
  readonly b: Bufferevent | null;
}

/** A kind of bufferevent, and what the suite must know to exercise it. */
export interface Flavour {
  readonly name: string;
  readonly supports: FlavourSupports;

  open(options?: OpenOptions): Promise<Ends>;

  /** An end whose `connect()` will be accepted or refused. Without it, cases about connecting are left out. */
  dial?(outcome: 'accepted' | 'refused', options?: OpenOptions): Promise<Dialled>;

  /** Bytes moved by the largest cases. Default 1 MiB; less where they move one by one. */
  readonly bulkBytes?: number;

  /** Most bytes that can lie between the output of one end and the input of the other. Default 16 MiB. */
  readonly transitBytes?: number;

  /** Random scripts to run. Default 20. */
  readonly scripts?: number;

  /** How long any one step of a case may take before it fails. Default 8000. */
  readonly timeoutMs?: number;
}

export const DEFAULT_BULK_BYTES: number = 1024 * 1024;
export const DEFAULT_TRANSIT_BYTES: number = 16 * 1024 * 1024;
export const DEFAULT_SCRIPTS = 20;
export const DEFAULT_TIMEOUT_MS = 8000;
