import type { Handle, Operation } from 'bufferevent-backend';
import type { CompletionQueue } from './completion-queue.js';

/** What streams and listeners have in common: a name, and what is in flight. */
export abstract class NetHandle {
  /** 0 until the port has given it one. */
  handle: Handle = 0;
  /** Whether what is pending here keeps the process alive (C16). */
  referenced = true;
  /** Bit `1 << operation` for everything submitted and not yet delivered (C3). */
  inFlight = 0;
  /** Number of those bits. */
  pending = 0;

  isInFlight(operation: Operation): boolean {
    return (this.inFlight & (1 << operation)) !== 0;
  }

  /** Attaches received bytes to the completion of a recv that is about to be delivered. */
  abstract fillRecv(queue: CompletionQueue, index: number): void;
}
