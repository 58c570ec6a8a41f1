import type { SuspendReason, Suspensions } from './gate.js';

/** One connection in numbers; bytes and counts since it was made. */
export interface BuffereventStats {
  /** Bytes that came from the transport, and that it took; with layers, what these made of the payload. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Bytes that reached `input`, and that left `output`. */
  readonly payloadReceived: number;
  readonly payloadSent: number;
  /** How often bytes reached `input`, and left `output`. */
  readonly receives: number;
  readonly sends: number;
  readonly inputLength: number;
  readonly outputLength: number;
  /** Bytes left of its own rate limit, negative for a deficit; `Infinity` without one. */
  readonly readLimit: number;
  readonly writeLimit: number;
  /** Why each direction rests at the moment, although it may be enabled. */
  readonly suspended: { readonly read: readonly SuspendReason[]; readonly write: readonly SuspendReason[] };
  /** How often each reason has suspended each direction. */
  readonly suspensions: { readonly read: Suspensions; readonly write: Suspensions };
}
