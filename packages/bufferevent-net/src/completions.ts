import {
  BackendError,
  type CompletionSink,
  HandleTable,
  type Lease,
  Operation,
  ProcessHold,
  surface,
  type TraceRecord,
  trace,
} from 'bufferevent-backend';
import { Account, CompletionQueue } from './completion-queue.js';
import type { NetHandle } from './net-handle.js';
import { ReadMemory, type ReadSlab } from './read-memory.js';

/**
 * Deliveries in a row in one turn: the sink sends, the system takes the bytes at once, and the completion can be had in
 * the same turn. Bounded, so that a sink that always finds more to send leaves the loop to others.
 */
const MAX_ROUNDS = 4;

/** Leases that can be out at once: 2^26. A busy server with many slow readers holds one per chunk. */
const LEASE_SLOT_BITS = 26;

/** Received bytes that wait for the end of the turn at most. */
const MAX_GATHERED_BYTES = 256 * 1024;

/** Result of a `recv` whose bytes are attached at delivery. */
const RECEIVED = 1;

/**
 * The completion side of a port: counts what is in flight, gathers what has finished, and hands it to the sink, once in
 * a turn of the loop where that is cheaper and at once where it is not (see {@link received}).
 *
 *      socket events ──► gathering ──(swap)──► delivering ──► sink
 *                            ▲                                  │ submits
 *                            └──────────────────────────────────┘
 */
export class Completions {
  readonly memory: ReadMemory = new ReadMemory();
  /** Which leases are out (C5), and what each of them holds: `null` for memory of the garbage collector. */
  readonly #leases = new HandleTable<ReadSlab | null>(LEASE_SLOT_BITS);
  /** Operations submitted and not yet delivered. */
  pending = 0;
  batches = 0;
  delivered = 0;

  readonly #sink: CompletionSink;
  readonly #onTrace: ((record: TraceRecord) => void) | undefined;
  readonly #hold = new ProcessHold();
  readonly #deliverLater: () => void;
  #gathering = new CompletionQueue();
  #spare = new CompletionQueue();
  #scheduled = false;
  #delivering = false;
  #referenced = true;
  #pendingReferenced = 0;
  #gatheredBytes = 0;
  /** The stream that received last. */
  #lastReceiver: NetHandle | null = null;
  /** Handles that disposal closes: nobody asked for a completion, but the end waits for them. */
  #closing = 0;
  #onSettled: (() => void) | null = null;

  constructor(sink: CompletionSink, onTrace?: (record: TraceRecord) => void) {
    this.#sink = sink;
    this.#onTrace = onTrace;
    this.#deliverLater = () => {
      this.#scheduled = false;
      this.#deliver();
    };
  }

  /** Leases that are out. */
  get leases(): number {
    return this.#leases.size;
  }

  /** Takes over one hold on `slab`. */
  lease(slab: ReadSlab | null): Lease {
    return this.#leases.add(slab);
  }

  release(lease: Lease): void {
    const slab = this.#leases.remove(lease);
    if (slab === undefined) throw new BackendError('ERR_BACKEND_STALE_LEASE', `lease ${lease} is not out`);
    if (slab !== null) this.memory.release(slab);
  }

  /** Marks an operation as in flight, or throws when one of its kind is (C3). */
  begin(owner: NetHandle, operation: Operation): void {
    const bit = 1 << operation;
    if ((owner.inFlight & bit) !== 0) {
      throw new BackendError('ERR_BACKEND_BUSY', `operation ${operation} is in flight on handle ${owner.handle}`);
    }
    owner.inFlight |= bit;
    owner.pending++;
    this.pending++;
    if (owner.referenced) {
      this.#pendingReferenced++;
      if (this.#pendingReferenced === 1 && !this.#delivering) this.#updateHold();
    }
  }

  /** Queues a completion. `raw` is the mechanism's own code, where there is one (C13). */
  finish(owner: NetHandle, operation: Operation, result: number, raw?: string | number, ends = true): void {
    this.#gathering.push(owner, operation, result, ends);
    if (!this.#scheduled && !this.#delivering) this.#schedule();
    if (result >= 0 || this.#onTrace === undefined) return;
    trace(this.#onTrace, { operation, handle: owner.handle, result, raw: raw ?? result });
  }

  /** Queues a `recv` that will take what its stream holds (from within a submission). */
  finishRecv(owner: NetHandle): void {
    this.finish(owner, Operation.recv, RECEIVED);
  }

  /**
   * Queues a `recv` whose bytes have just arrived, and picks the moment of delivery. When many streams are ready in one
   * turn, one batch for all of them is a third cheaper than one each. When the same stream follows itself, nobody else
   * is busy, and waiting would only cost an immediate. Much data is handled before more is read: it is still in the cache,
   * and the memory held per turn stays bounded.
   *
   * Called from socket events only, never from a submission (C1).
   */
  received(owner: NetHandle, bytes: number): void {
    this.#gathering.push(owner, Operation.recv, RECEIVED, true);
    this.#gatheredBytes += bytes;
    if (this.#gatheredBytes >= MAX_GATHERED_BYTES || this.#lastReceiver === owner) this.#deliver();
    else if (!this.#scheduled && !this.#delivering) this.#schedule();
    this.#lastReceiver = owner;
  }

  /** Whether the port as a whole keeps the process alive (C16). */
  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    this.#updateHold();
  }

  setHandleReferenced(owner: NetHandle, referenced: boolean): void {
    if (owner.referenced === referenced) return;
    owner.referenced = referenced;
    this.#pendingReferenced += referenced ? owner.pending : -owner.pending;
    this.#updateHold();
  }

  /** Begins a close that is not completed, but waited for by {@link settle}. */
  beginSilentClose(): void {
    this.#closing++;
  }

  finishSilentClose(): void {
    this.#closing--;
    if (!this.#delivering && this.#onSettled !== null) this.#checkSettled();
  }

  /** Calls back when nothing is in flight any more, and lets go of the timer. Nothing may be submitted after that. */
  settle(onSettled: () => void): void {
    this.#onSettled = onSettled;
    if (!this.#delivering) this.#checkSettled();
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(this.#deliverLater);
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    this.#gatheredBytes = 0;
    for (let round = 0; round < MAX_ROUNDS && this.#gathering.length > 0; round++) this.#deliverOnce();
    this.#delivering = false;
    if (this.#gathering.length > 0 && !this.#scheduled) this.#schedule();
    this.#updateHold();
    if (this.#onSettled !== null) this.#checkSettled();
  }

  #deliverOnce(): void {
    const batch = this.#gathering;
    this.#gathering = this.#spare;
    this.#spare = batch;
    const length = batch.length;
    for (let index = 0; index < length; index++) this.#account(batch, index);
    this.batches++;
    batch.touched = 0;
    try {
      this.#sink(batch);
      this.delivered += length;
      batch.clear();
    } catch (error) {
      // Let it surface as uncaught, but not here: the socket whose event we are in must not be left half way (C19).
      surface(error);
      this.delivered += batch.touched;
      this.#deliverRestOf(batch);
    }
  }

  /** The operation is about to be delivered: it no longer counts, and its kind is free again. */
  #account(batch: CompletionQueue, index: number): void {
    const owner = batch.owner(index);
    const operation = batch.operation(index);
    const account = batch.account(index);
    if (account === Account.done) return;
    if (operation === Operation.recv && batch.result(index) > 0) owner.fillRecv(batch, index);
    if (account === Account.continues) return;
    owner.inFlight &= ~(1 << operation);
    owner.pending--;
    this.pending--;
    if (owner.referenced) this.#pendingReferenced--;
  }

  /** What a sink that threw has not looked at goes in front of what was gathered meanwhile. */
  #deliverRestOf(batch: CompletionQueue): void {
    const later = this.#gathering;
    batch.continueWith(batch.touched, later);
    later.clear();
    this.#gathering = batch;
    this.#spare = later;
  }

  #updateHold(): void {
    const wanted = this.#referenced && this.#pendingReferenced > 0;
    if (wanted !== this.#hold.held) this.#hold.set(wanted);
  }

  #checkSettled(): void {
    if (this.pending > 0 || this.#closing > 0 || this.#gathering.length > 0) return;
    const onSettled = this.#onSettled;
    this.#onSettled = null;
    this.#lastReceiver = null;
    this.#hold.dispose();
    onSettled?.();
  }
}
