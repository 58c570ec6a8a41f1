import type { Chain } from './chain.js';
import type { LeaseOwner, ReleaseCallback } from './node.js';

/** What the debug mode (`evbuffer/debug`) sees of the others. All of it is null, and costs one comparison, without it. */
export interface DebugHooks {
  /** A block goes back to the pool: nobody may read or write it from here on. */
  retired(memory: Uint8Array): void;
  /** A block leaves the pool for its next user. */
  reused(memory: Uint8Array): void;
  /** Memory was lent by `addReference`; returns what is to be called at its end. */
  referenced(memory: Uint8Array, onRelease: ReleaseCallback | null): ReleaseCallback;
  /** Memory was lent by `addLeased`; returns the owner to tell. */
  leased(memory: Uint8Array, start: number, end: number, owner: LeaseOwner, lease: number): LeaseOwner;
  /** A view is about to be handed out; returns the one to hand out. */
  shown(chain: Chain, view: Uint8Array): Uint8Array;
  /** Room is about to be handed out; returns the segments to hand out. */
  opened(chain: Chain, room: Uint8Array[]): Uint8Array[];
  /** Room is committed: what was written to `handedOut` belongs into `room`. */
  committed(handedOut: readonly Uint8Array[], room: readonly Uint8Array[]): void;
  /** Views and room handed out for this chain are stale. */
  changed(chain: Chain): void;
}

export let hooks: DebugHooks | null = null;

export function setHooks(to: DebugHooks | null): void {
  hooks = to;
}
