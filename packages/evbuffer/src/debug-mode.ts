import type { Chain } from './chain.js';
import { type DebugHooks, hooks, setHooks } from './debug-hooks.js';
import { detached, typeError } from './errors.js';
import type { LeaseOwner } from './node.js';

/** Memory that a buffer still holds for somebody. */
export interface Loan {
  readonly kind: 'reference' | 'lease';
  readonly bytes: number;
  /** Where it was added. */
  readonly stack: string;
}

/** What recycled memory is filled with: a view that reads this was used after its time. */
export const POISON = 0xdb;

/**
 * Makes mistakes with memory visible, in all buffers of this copy of the package, until `disable`. Slow: for tests.
 *
 * - Memory that goes back to the pool is filled with `POISON`. When it is written before its next use, through a view
 *   kept past its time, the call that would use it next throws an `Error`.
 * - Views (`peek`, `pullup`, iteration) and reserved room are copies that are detached at the next change of the buffer:
 *   a view used after its time is empty. What is written to reserved room arrives at `commit`; what is written to other
 *   views does not. `peekInto` shows the real memory.
 * - `loans()` tells who lent memory that is still held, and where in the program.
 *
 * Turn it on before buffers are used; views handed out before are not watched. Throws ERR_EVBUFFER_INVALID_ARGUMENT when it
 * is on already.
 */
export function enableDebugMode(): DebugMode {
  if (hooks !== null) throw typeError('the debug mode is on already');
  const mode = new DebugMode();
  setHooks(mode);
  return mode;
}

interface Transferring {
  structuredClone?: (value: ArrayBufferLike, options: { transfer: ArrayBufferLike[] }) => unknown;
}

/** Takes the memory away from a view; without the means for that, fills it with poison. */
function invalidate(view: Uint8Array): void {
  const { structuredClone } = globalThis as Transferring;
  if (view.length === 0) return;
  if (structuredClone === undefined) view.fill(POISON);
  else structuredClone(view.buffer, { transfer: [view.buffer] });
}

function stackHere(): string {
  // Two frames of this package's own come first.
  return (new Error('added here').stack ?? '').split('\n').slice(2).join('\n');
}

/** The debug mode while it is on, from `enableDebugMode`. */
export class DebugMode implements DebugHooks {
  readonly #loans: Set<Loan> = new Set();
  /** What was handed out and is still good. */
  readonly #views: WeakMap<Chain, Uint8Array[]> = new WeakMap();
  /** Blocks of the pool that were filled with poison. */
  readonly #poisoned: WeakSet<Uint8Array> = new WeakSet();

  /** Memory added by reference or lease, while the mode is on, that has not been released. */
  loans(): Loan[] {
    return [...this.#loans];
  }

  /** Turns the mode off. Views handed out until now are not invalidated any more. */
  disable(): void {
    if (hooks === this) setHooks(null);
  }

  /** @internal */
  retired(memory: Uint8Array): void {
    // Detached by somebody who kept a view past its time.
    if (memory.length === 0) return;
    memory.fill(POISON);
    this.#poisoned.add(memory);
  }

  /** @internal */
  reused(memory: Uint8Array): void {
    if (!this.#poisoned.delete(memory)) return;
    const at = memory.findIndex((byte) => byte !== POISON);
    if (at >= 0) throw new Error(`byte ${at} of recycled memory was written, through a view used after its time`);
  }

  /** @internal */
  referenced(memory: Uint8Array, onRelease: ((memory: Uint8Array) => void) | null): (memory: Uint8Array) => void {
    const loan: Loan = { kind: 'reference', bytes: memory.length, stack: stackHere() };
    this.#loans.add(loan);
    return (returned) => {
      this.#loans.delete(loan);
      onRelease?.(returned);
    };
  }

  /** @internal */
  leased(_memory: Uint8Array, start: number, end: number, owner: LeaseOwner): LeaseOwner {
    const loan: Loan = { kind: 'lease', bytes: end - start, stack: stackHere() };
    this.#loans.add(loan);
    return {
      release: (lease) => {
        this.#loans.delete(loan);
        owner.release(lease);
      },
    };
  }

  /** @internal */
  shown(chain: Chain, view: Uint8Array): Uint8Array {
    return this.#handOut(chain, view);
  }

  /** @internal */
  opened(chain: Chain, room: Uint8Array[]): Uint8Array[] {
    return room.map((segment) => this.#handOut(chain, segment));
  }

  /** @internal */
  committed(handedOut: readonly Uint8Array[], room: readonly Uint8Array[]): void {
    // Transferred by the user: where the room is the real memory, the buffer has lost it too.
    if (room.some((segment, index) => segment.length !== handedOut[index]?.length)) throw detached();
    for (const [index, segment] of room.entries()) segment.set(handedOut[index] as Uint8Array);
  }

  /** @internal */
  changed(chain: Chain): void {
    const views = this.#views.get(chain);
    if (views === undefined) return;
    this.#views.delete(chain);
    for (const view of views) invalidate(view);
  }

  #handOut(chain: Chain, memory: Uint8Array): Uint8Array {
    const view = new Uint8Array(memory);
    const views = this.#views.get(chain);
    if (views === undefined) this.#views.set(chain, [view]);
    else views.push(view);
    return view;
  }
}
