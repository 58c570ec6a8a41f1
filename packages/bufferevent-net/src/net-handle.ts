import type { Handle, Operation } from 'bufferevent-backend';
import type { CompletionQueue } from './completion-queue.js';
import type { Completions } from './completions.js';

type FinalOperation = typeof Operation.close | typeof Operation.reset;

/** A handle is closed by one of two operations, or with its port: then nobody asked, and nothing completes. */
export type Closing = FinalOperation | 'disposal';

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

  /** What is closing this handle. */
  protected closing: Closing | null = null;

  /** Cancels what is in flight, and closes. The handle is stale already. */
  abstract close(how: Closing): void;

  protected beginClose(completions: Completions, how: Closing): void {
    this.closing = how;
    if (how === 'disposal') completions.beginSilentClose();
    else completions.begin(this, how);
  }

  protected finishClose(completions: Completions): void {
    if (this.closing === 'disposal') completions.finishSilentClose();
    else completions.finish(this, this.closing as FinalOperation, 0);
  }

  /** Attaches received bytes to the completion of a recv that is about to be delivered. */
  abstract fillRecv(queue: CompletionQueue, index: number): void;
}
