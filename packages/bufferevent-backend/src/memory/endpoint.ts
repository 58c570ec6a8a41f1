import type { Handle, Operation } from '../contract.js';
import { BackendError } from '../errors.js';
import type { Block } from './slab-pool.js';
import type { World } from './world.js';

/** The insides of a port that its endpoints use. */
export interface PortInside {
  readonly world: World;
  began(endpoint: Endpoint): void;
  completed(endpoint: Endpoint, operation: Operation, result: number, final: boolean, block: Block | null): void;
}

/*
 *   an operation:   submitted ─────────► finished ─────────► delivered
 *   active              1                    0                   0       the mechanism works on it; cancel has effect
 *   busy                1                    1                   0       C3: no second one of its kind
 */

/** What a handle names: a stream or a listener, with the operations it has in flight. */
export abstract class Endpoint {
  readonly port: PortInside;
  handle: Handle = 0;
  referenced = true;
  /** Operations submitted and not delivered. */
  pending = 0;
  /** Closed for every verb; its last completion is on its way (C11). */
  closing = false;
  /** Waits in the ready queue of the world. */
  queued = false;
  #busy = 0;
  #active = 0;

  constructor(port: PortInside) {
    this.port = port;
  }

  /** Throws `ERR_BACKEND_BUSY` while an operation of this kind is in flight (C3). */
  demandFree(operation: Operation, name: string): void {
    if ((this.#busy & (1 << operation)) !== 0) {
      throw new BackendError('ERR_BACKEND_BUSY', `a ${name} is in flight on this handle`);
    }
  }

  isActive(operation: Operation): boolean {
    return (this.#active & (1 << operation)) !== 0;
  }

  /** Submits; progress follows in a later step, so that nothing completes within the call (C1). */
  begin(operation: Operation): void {
    this.#busy |= 1 << operation;
    this.#active |= 1 << operation;
    this.port.began(this);
    this.wake();
  }

  /** Gathers the completion of an active operation. */
  finish(operation: Operation, result: number, block: Block | null = null): void {
    this.#active &= ~(1 << operation);
    this.port.completed(this, operation, result, true, block);
  }

  /** Gathers a completion that leaves its operation in flight: an accepted connection, an episode of EMFILE. */
  report(operation: Operation, result: number): void {
    this.port.completed(this, operation, result, false, null);
  }

  /** The operation may be submitted again: its last completion is about to be handed over. */
  delivered(operation: Operation): void {
    this.#busy &= ~(1 << operation);
  }

  /** Asks for {@link progress} in the next step. */
  wake(): void {
    if (this.queued || this.closing) return;
    this.queued = true;
    this.port.world.ready(this);
  }

  /** Moves what can be moved now, for operations that are active. Called once a step after {@link wake}. */
  abstract progress(): void;

  /** Completes what is in flight with what it moved, or `-ECANCELED` (C11, C17). */
  abstract cancelAll(): void;

  /** Lets go of the mechanism's side: closes the descriptor. */
  abstract dismantle(): void;
}
