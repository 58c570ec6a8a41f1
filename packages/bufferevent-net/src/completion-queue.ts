import type { CompletionBatch, Handle, Lease, Operation } from 'bufferevent-backend';
import type { NetHandle } from './net-handle.js';

/** How a completion counts when it is delivered. */
export const Account = {
  /** It has been counted: its delivery was broken off by a sink that threw. */
  done: 0,
  /** It ends its operation. */
  ends: 1,
  /** It does not: an `accept` with credits left (C2). */
  continues: 2,
} as const;
export type Account = (typeof Account)[keyof typeof Account];

const noMemory = new Uint8Array(0);

/**
 * A batch in the making and then in delivery: parallel arrays that are filled, read and emptied over and over. What was
 * received is attached at delivery only, so that a recv that is done but not delivered can still be lowered (C7).
 */
export class CompletionQueue implements CompletionBatch {
  length = 0;
  /** One more than the last index that the sink has looked at. */
  touched = 0;
  readonly #owners: (NetHandle | null)[] = [];
  readonly #operations: Operation[] = [];
  readonly #results: number[] = [];
  /** What delivery still has to account for, per completion. */
  readonly #accounts: Account[] = [];
  readonly #memories: Uint8Array[] = [];
  readonly #starts: number[] = [];
  readonly #leases: Lease[] = [];

  push(owner: NetHandle, operation: Operation, result: number, ends: boolean): void {
    const index = this.length++;
    this.#owners[index] = owner;
    this.#operations[index] = operation;
    this.#results[index] = result;
    this.#accounts[index] = ends ? Account.ends : Account.continues;
    this.#memories[index] = noMemory;
    this.#starts[index] = 0;
    this.#leases[index] = 0;
  }

  /** Attaches what a `recv` yields. */
  attach(index: number, memory: Uint8Array, start: number, length: number, lease: Lease): void {
    this.#memories[index] = memory;
    this.#starts[index] = start;
    this.#results[index] = length;
    this.#leases[index] = lease;
  }

  owner(index: number): NetHandle {
    return this.#owners[index] as NetHandle;
  }

  /** Says what is to be accounted for, and marks it as done. */
  account(index: number): Account {
    const account = this.#accounts[index] as Account;
    this.#accounts[index] = Account.done;
    return account;
  }

  operation(index: number): Operation {
    if (index >= this.touched) this.touched = index + 1;
    return this.#operations[index] as Operation;
  }

  handle(index: number): Handle {
    if (index >= this.touched) this.touched = index + 1;
    return (this.#owners[index] as NetHandle).handle;
  }

  result(index: number): number {
    return this.#results[index] as number;
  }

  memory(index: number): Uint8Array {
    return this.#memories[index] as Uint8Array;
  }

  start(index: number): number {
    return this.#starts[index] as number;
  }

  lease(index: number): Lease {
    return this.#leases[index] as Lease;
  }

  /** Empties the queue and lets go of memory and owners. */
  clear(): void {
    for (let index = 0; index < this.length; index++) {
      this.#owners[index] = null;
      this.#memories[index] = noMemory;
    }
    this.length = 0;
    this.touched = 0;
  }

  /** Drops the first `count` completions and adds those of `later` at the end, as they are. Rare: the sink threw. */
  continueWith(count: number, later: CompletionQueue): void {
    join(this.#owners, later.#owners, count, this.length, later.length);
    join(this.#operations, later.#operations, count, this.length, later.length);
    join(this.#results, later.#results, count, this.length, later.length);
    join(this.#accounts, later.#accounts, count, this.length, later.length);
    join(this.#memories, later.#memories, count, this.length, later.length);
    join(this.#starts, later.#starts, count, this.length, later.length);
    join(this.#leases, later.#leases, count, this.length, later.length);
    this.length += later.length - count;
    this.touched = 0;
  }
}

function join<Item>(items: Item[], later: readonly Item[], from: number, length: number, laterLength: number): void {
  items.splice(length);
  items.splice(0, from);
  for (let index = 0; index < laterLength; index++) items.push(later[index] as Item);
}
