import type { StreamOptions } from './contract.js';

/**
 * What a mechanism can do, as data: users branch on it, and the compliance suite leaves out the cases it excludes. A
 * bit that is false has a substitute behaviour, written down in the README of the backend.
 */
export interface BackendSupports {
  /** Most bytes taken from the system for a stream that has no recv in flight (C6). 0 when it never reads ahead. */
  readonly readAhead: number;
  /** Receive memory, in bytes, that an idle stream with a recv in flight pins (C15). */
  readonly idleMemory: number;
  /** Most connections taken from the system for a listener that has no credits; the rest wait in the backlog. */
  readonly acceptAhead: number;
  /** `false` when running out of descriptors in accept can't be noticed (C20). */
  readonly acceptErrors: boolean;
  /** `false` when received bytes may be lost after a failed send (C18). */
  readonly readAfterWriteError: boolean;
  /** `cancel` works for `send` and `sendFile` (C17). */
  readonly cancelSend: boolean;
  /** `sendFile` from the kernel. */
  readonly sendFile: boolean;
  /** `adopt`, `detach` and `descriptor`. */
  readonly descriptors: boolean;
  /** `registerMemory`. */
  readonly registeredMemory: boolean;
  /** `watchPeer`. */
  readonly peerClose: boolean;
  /** `PathAddress` in `listen` and `connect`. */
  readonly paths: boolean;
  /** Paths are files with permissions: `ListenOptions.mode`. */
  readonly socketFiles: boolean;
  /** `ListenOptions.reusePort`. */
  readonly reusePort: boolean;
  /** `ListenOptions.deferAccept`. */
  readonly deferAccept: boolean;
  /** What `setOption` accepts. */
  readonly streamOptions: ReadonlyArray<keyof StreamOptions>;
}
