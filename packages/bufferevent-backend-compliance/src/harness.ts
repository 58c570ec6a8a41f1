import type { Address, Backend, IpAddress, PathAddress } from 'bufferevent-backend';

/**
 * What the suite needs of a test runner. `{ describe, it }` of vitest, node:test, mocha and jest all fit. No hooks are
 * used: every case makes and disposes of its own ports.
 */
export interface Runner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/** A socket path to listen on. `cleanup` runs after the case, also when it failed. */
export interface TemporaryPath {
  readonly address: PathAddress;
  cleanup(): void;
}

/** An open file for `sendFile`. `close` runs after the case. */
export interface OpenFile {
  readonly descriptor: number;
  close(): void;
}

/**
 * A backend and what the suite must know to exercise it. Only the first two members are needed; a case whose hook is
 * absent is not registered, and {@link excludedCases} says so.
 */
export interface Harness {
  readonly backend: Backend;

  /** A fresh address that one listener can bind, usually `{ ip: '127.0.0.1', port: 0 }`. */
  listenAddress(): Address;

  /** The same for IPv6, usually `{ ip: '::1', port: 0 }`. Leave out where the machine has no IPv6. */
  ipv6Address?(): IpAddress;

  /** A path nobody listens on yet. Needed where `supports.paths`. */
  pathAddress?(): TemporaryPath;

  /** An address of this machine to bind a client to, usually `{ ip: '127.0.0.1', port: 0 }`. */
  localAddress?(): IpAddress;

  /** A numeric address that is not one of this machine's, usually in 192.0.2.0/24. */
  foreignAddress?(): IpAddress;

  /**
   * From now on accepting fails for want of descriptors. Cases connect before they call it, so that the connections
   * wait in the backlog. Needed where `supports.acceptErrors`.
   */
  exhaustDescriptors?(): Exhaustion;

  /** Two connected stream descriptors that nobody owns. Needed where `supports.descriptors`. */
  socketPair?(): readonly [number, number];

  /** An open file that holds `bytes`. Needed where `supports.sendFile`. */
  openFile?(bytes: Uint8Array): OpenFile;

  /** An open sparse file that holds `bytes` from offset `at` (beyond 4 GiB) on. */
  openSparseFile?(bytes: Uint8Array, at: number): OpenFile;

  /**
   * URL of a JavaScript module that exports `createHarness(): Harness | Promise<Harness>`. Cases about the life of a
   * process import it in child processes and workers (C16).
   */
  readonly childModule?: string;

  /** Most bytes that the system may hold between the two ends of a stream, beyond `supports.readAhead`. Default 32 MiB. */
  readonly systemBufferBytes?: number;

  /** Bytes moved by the largest cases. Default 4 MiB: enough to fill every buffer on the way several times. */
  readonly bulkBytes?: number;

  /** Streams opened at once by the largest cases (two handles each). Default 1000. */
  readonly maxStreams?: number;

  /** How long one completion may take before the case fails with a dump. Default 8000. */
  readonly timeoutMs?: number;
}

/** A time without descriptors, made by {@link Harness.exhaustDescriptors}. */
export interface Exhaustion {
  restore(): void;
}

export const DEFAULT_TIMEOUT_MS = 8000;
export const DEFAULT_BULK_BYTES: number = 4 * 1024 * 1024;
