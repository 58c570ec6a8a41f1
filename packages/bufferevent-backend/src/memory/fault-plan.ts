import { checkInteger } from '../arguments.js';
import { Operation } from '../contract.js';
import { Errno, type ErrnoName } from '../errno.js';
import { argumentRangeError, argumentTypeError } from '../errors.js';
import { Xorshift } from './xorshift.js';

/** Kinds of operation that can be made to fail. */
export type FaultyOperation =
  | typeof Operation.accept
  | typeof Operation.connect
  | typeof Operation.recv
  | typeof Operation.send
  | typeof Operation.sendFile
  | typeof Operation.shutdown
  | typeof Operation.watchPeer;

/** Makes the `nth` submitted operation of a kind (from 1, over all ports of the backend) complete with an error. */
export interface InjectedError {
  readonly operation: FaultyOperation;
  readonly nth: number;
  readonly error: ErrnoName;
}

/** What should go wrong. Nothing does by default; each member adds one kind of trouble, all within the contract. */
export interface FaultPlan {
  /** No send or sendFile moves more than this many bytes (C9). */
  readonly maxSend?: number;
  /** No recv yields more than this many bytes (C7); 1 is the peer that sends one byte at a time. */
  readonly maxRecv?: number;
  /** Each batch is handed over this many turns later, in order. Default 0. */
  readonly delay?: number;
  /** What a turn is: `setImmediate` (default), `queueMicrotask`, or the clock of a test. */
  readonly defer?: (callback: () => void) => void;
  /** Each error is met once. */
  readonly errors?: readonly InjectedError[];
  /**
   * Mixes short sends, short reads, delays of up to three turns and, where `errorRate` says so, one `ECONNRESET` in that
   * many sends and receives. The same seed and the same submissions give the same faults. Default `errorRate`: none.
   */
  readonly random?: { readonly seed: number; readonly errorRate?: number };
}

const injectable: readonly Operation[] = [
  Operation.accept,
  Operation.connect,
  Operation.recv,
  Operation.send,
  Operation.sendFile,
  Operation.shutdown,
  Operation.watchPeer,
];

/** Decides, for every port of one backend, what goes wrong next. */
export class FaultDice {
  readonly defer: (callback: () => void) => void;
  readonly #plan: FaultPlan;
  readonly #random: Xorshift | null;
  readonly #errorRate: number;
  readonly #counts: Map<Operation, number> = new Map();
  readonly #owed: InjectedError[] = [];

  /** Throws `TypeError`/`RangeError` for a malformed plan. */
  constructor(plan: FaultPlan) {
    const { maxSend, maxRecv, delay, defer = setImmediate, errors = [], random } = plan;
    if (maxSend !== undefined) checkInteger('plan.maxSend', maxSend, 1, Number.MAX_SAFE_INTEGER);
    if (maxRecv !== undefined) checkInteger('plan.maxRecv', maxRecv, 1, Number.MAX_SAFE_INTEGER);
    if (delay !== undefined) checkInteger('plan.delay', delay, 0, 2 ** 31 - 1);
    if (typeof defer !== 'function') throw argumentTypeError('plan.defer', 'a function', defer);
    for (const { operation, nth, error } of errors) checkInjected(operation, nth, error);
    if (random !== undefined) {
      checkInteger('plan.random.seed', random.seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      if (random.errorRate !== undefined) checkInteger('plan.random.errorRate', random.errorRate, 1, 2 ** 31 - 1);
    }
    this.#plan = plan;
    this.defer = (callback) => void defer(callback);
    this.#random = random === undefined ? null : new Xorshift(random.seed);
    this.#errorRate = random?.errorRate ?? 0;
  }

  /** The negative result with which this operation shall complete, or 0. Counts the operation. */
  error(operation: FaultyOperation): number {
    const nth = (this.#counts.get(operation) ?? 0) + 1;
    this.#counts.set(operation, nth);
    for (const injected of this.#plan.errors ?? []) {
      if (injected.operation === operation && injected.nth === nth) this.#owed.push(injected);
    }
    const index = this.#owed.findIndex((injected) => injected.operation === operation);
    if (index >= 0) return -Errno[(this.#owed.splice(index, 1)[0] as InjectedError).error];
    const moves = operation === Operation.recv || operation === Operation.send || operation === Operation.sendFile;
    if (moves && this.#errorRate > 0 && this.#random?.oneIn(this.#errorRate)) return -Errno.ECONNRESET;
    return 0;
  }

  /** How many of the bytes offered shall be sent. */
  sendLimit(offered: number): number {
    return this.#shortened(Math.min(offered, this.#plan.maxSend ?? offered));
  }

  /** How many bytes shall be asked for. */
  recvLimit(asked: number): number {
    return this.#shortened(Math.min(asked, this.#plan.maxRecv ?? asked));
  }

  /** For how many turns the next batch shall be held back. */
  turns(): number {
    const random = this.#random;
    return (this.#plan.delay ?? 0) + (random?.oneIn(3) ? 1 + random.below(3) : 0);
  }

  #shortened(bytes: number): number {
    const random = this.#random;
    if (random === null || !random.oneIn(3)) return bytes;
    // One byte is the case that breaks most; anything else finds the rest.
    return random.oneIn(2) ? 1 : 1 + random.below(Math.min(bytes, 2 ** 31));
  }
}

function checkInjected(operation: Operation, nth: number, error: ErrnoName): void {
  if (!injectable.includes(operation)) {
    throw argumentRangeError('plan.errors[].operation', 'an operation that can be made to fail', operation);
  }
  checkInteger('plan.errors[].nth', nth, 1, Number.MAX_SAFE_INTEGER);
  // ECANCELED ends an accept (C2) and says that nothing moved (C17); it is not a failure of its own.
  if (!Object.hasOwn(Errno, error) || error === 'ECANCELED') {
    throw argumentRangeError('plan.errors[].error', 'an errno name other than ECANCELED', error);
  }
}

/** A plan as text, for the message of a failed test. */
export function describePlan(plan: FaultPlan): string {
  const names = new Map<number, string>(Object.entries(Operation).map(([name, operation]) => [operation, name]));
  const parts: string[] = [];
  if (plan.maxSend !== undefined) parts.push(`sends at most ${plan.maxSend}`);
  if (plan.maxRecv !== undefined) parts.push(`receives at most ${plan.maxRecv}`);
  if (plan.delay !== undefined) parts.push(`delays ${plan.delay} turns`);
  for (const { operation, nth, error } of plan.errors ?? []) parts.push(`${error} in ${names.get(operation)} ${nth}`);
  if (plan.random !== undefined) {
    const rate = plan.random.errorRate === undefined ? '' : `, one error in ${plan.random.errorRate}`;
    parts.push(`random with seed ${plan.random.seed}${rate}`);
  }
  return parts.length === 0 ? 'no faults' : parts.join('; ');
}
