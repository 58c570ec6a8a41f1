import type { Address } from '../contract.js';
import { Errno } from '../errno.js';
import { BytePipe } from './byte-pipe.js';

/** Whoever drives an end and wants to hear that something about it changed. */
export interface EndOwner {
  wake(): void;
}

/*
 *      end A                            end B
 *      incoming  ◄──── bytes of B ────  peer
 *      peer      ───── bytes of A ───►  incoming
 *
 * An end belongs to a stream of a port, to a backlog, or to nobody but its descriptor.
 */

/** One side of a connection in the world of a {@link MemoryNetwork}. Lives as long as its descriptor. */
export class ConnectionEnd {
  readonly incoming: BytePipe;
  peer: ConnectionEnd | null = null;
  owner: EndOwner | null = null;
  local: Address | null = null;
  remote: Address | null = null;
  /** The descriptor that names this end, -1 while it has none (in a backlog, not connected yet). */
  descriptor = -1;
  /** `local` was bound for connecting, and is ours to free. */
  dialled = false;
  /** We have ended our direction. */
  finished = false;
  closed = false;
  /** Why nothing moves any more (`-ECONNRESET`), or 0. It lasts: every later operation meets it. */
  failure = 0;
  /** Capacity wanted for the direction to the peer, 0 for the network's; set before or after connecting. */
  #sendCapacity = 0;
  readonly #resetDiscards: boolean;

  constructor(capacity: number, resetDiscards: boolean) {
    this.incoming = new BytePipe(capacity);
    this.#resetDiscards = resetDiscards;
  }

  get connected(): boolean {
    return this.peer !== null;
  }

  join(peer: ConnectionEnd): void {
    this.peer = peer;
    peer.peer = this;
    if (this.#sendCapacity > 0) peer.incoming.capacity = this.#sendCapacity;
    if (peer.#sendCapacity > 0) this.incoming.capacity = peer.#sendCapacity;
  }

  limitSending(capacity: number): void {
    this.#sendCapacity = capacity;
    if (this.peer !== null) {
      this.peer.incoming.capacity = capacity;
      this.owner?.wake();
    }
  }

  limitReceiving(capacity: number): void {
    this.incoming.capacity = capacity;
    this.peer?.owner?.wake();
  }

  /** The negative result that a send meets now, or 0. */
  sendFailure(): number {
    if (this.failure !== 0) return this.failure;
    if (this.finished || this.peer === null || this.peer.closed) return -Errno.EPIPE;
    return 0;
  }

  /** Copies to the peer what it has space for. */
  write(source: Uint8Array, start: number, end: number): number {
    const peer = this.peer as ConnectionEnd;
    const moved = peer.incoming.write(source, start, end);
    if (moved > 0) peer.owner?.wake();
    return moved;
  }

  /** Takes bytes that the peer sent; the space that this frees lets the peer go on. */
  read(target: Uint8Array, start: number, count: number): number {
    const moved = this.incoming.read(target, start, count);
    if (moved > 0) this.peer?.owner?.wake();
    return moved;
  }

  /** Ends our direction; the peer reads what is on its way, then the end (C10). */
  finish(): void {
    if (this.finished || this.closed) return;
    this.finished = true;
    if (this.peer !== null) {
      this.peer.incoming.ended = true;
      this.peer.owner?.wake();
    }
  }

  /** Closes in peace: bytes on their way to the peer still arrive, those on their way to us are lost. */
  close(): void {
    if (this.closed) return;
    this.finish();
    this.closed = true;
    this.owner = null;
    this.incoming.discard();
    // A send of the peer that waits for space fails now.
    this.peer?.owner?.wake();
  }

  /** Closes with a reset: every operation of the peer fails from now on, after the bytes that it has received. */
  reset(): void {
    if (this.closed) return;
    this.closed = true;
    this.finished = true;
    this.owner = null;
    this.incoming.discard();
    const { peer } = this;
    if (peer !== null && !peer.closed && peer.failure === 0) {
      peer.failure = -Errno.ECONNRESET;
      if (this.#resetDiscards) peer.incoming.discard();
      peer.owner?.wake();
    }
  }
}
