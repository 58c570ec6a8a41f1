import { AssertionError } from 'node:assert/strict';
import {
  type Backend,
  type CompletionBatch,
  type CompletionSink,
  type Handle,
  Operation,
  type Port,
  type PortOptions,
} from 'bufferevent-backend';
import { CheckedPort } from './checked-port.js';
import { type Completion, Ledger, operationName } from './ledger.js';

const empty = new Uint8Array(0);

interface Waiter {
  readonly resolve: (completion: Completion) => void;
}

/**
 * A port with a recording sink. Whatever a case does, every batch is held against the rules that hold always: C1 (never
 * inside a verb), C2 (exactly once, no empty batch), C3, C4, C5, C7, C9, C11, C12 and C13; see {@link Ledger}.
 */
export class Driver {
  /** The port, with every submission written down. */
  readonly port: Port;
  /** Runs at the end of the sink, with what the batch held; may submit and may throw. */
  onBatch: ((completions: readonly Completion[]) => void) | null = null;
  /**
   * Look at the completions of a batch one after the other, with a call of {@link onBatch} for each, instead of all at
   * once: a callback that throws leaves the rest of the batch unseen (C19).
   */
  stepwise = false;
  readonly ledger: Ledger = new Ledger();
  readonly #checked: CheckedPort;
  readonly #timeoutMs: number;
  readonly #arrived: Completion[] = [];
  readonly #waiters = new Map<string, Waiter[]>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #insideSink = false;
  #disposed: Promise<void> | null = null;

  constructor(backend: Backend, timeoutMs: number, options?: PortOptions) {
    this.#timeoutMs = timeoutMs;
    const sink: CompletionSink = (batch) => this.#sink(batch);
    this.#checked = new CheckedPort(backend.createPort(sink, options), this.ledger);
    this.port = this.#checked;
  }

  /** The next completion of this kind on this handle that nobody has taken; waits for it. */
  next(handle: Handle, operation: Operation): Promise<Completion> {
    const index = this.#arrived.findIndex((one) => one.handle === handle && one.operation === operation);
    const arrived = index < 0 ? undefined : this.#arrived.splice(index, 1)[0];
    if (arrived !== undefined) return Promise.resolve(arrived);
    const key = keyOf(handle, operation);
    const waiting = new Promise<Completion>((resolve) => {
      const waiters = this.#waiters.get(key) ?? [];
      waiters.push({ resolve });
      this.#waiters.set(key, waiters);
    });
    return this.within(waiting, `${operationName(operation)} on ${handle}`);
  }

  /** Completions of this kind on this handle that have arrived and that nobody has taken. */
  untaken(handle: Handle, operation?: Operation): readonly Completion[] {
    return this.#arrived.filter((one) => one.handle === handle && (operation ?? one.operation) === one.operation);
  }

  /** Gives the memory of a completion back, after checking that nobody changed it. */
  release(completion: Completion): void {
    if (completion.lease !== null) this.port.release(completion.lease);
  }

  /**
   * The case is over. Whatever it still waits for stays unanswered: a step of a case that has failed must not go on with
   * ports that are being disposed of, and a time-out that nobody awaits must not surface.
   */
  abandon(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#waiters.clear();
    this.onBatch = null;
  }

  /** Fails with everything submitted and seen when the promise takes longer than one completion may. */
  async within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    const { promise: late, reject } = withRejection();
    const timer = setTimeout(() => reject(this.failure(`no ${what} within ${this.#timeoutMs} ms`)), this.#timeoutMs);
    this.#timers.add(timer);
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
      this.#timers.delete(timer);
    }
  }

  /** An assertion error with the whole history of this port. */
  failure(message: string): AssertionError {
    const lines = [
      message,
      ...this.ledger.violations.map((violation) => `  broken: ${violation}`),
      `  in flight: ${this.ledger.unsettled().join(', ') || 'nothing'}`,
      `  stats: ${JSON.stringify(this.port.stats())}`,
      '  history:',
      this.ledger.dump(),
    ];
    return new AssertionError({ message: lines.join('\n') });
  }

  /** Disposes of the port once, with a time-out. */
  dispose(): Promise<void> {
    this.#disposed ??= this.within(this.port[Symbol.asyncDispose](), 'end of disposal');
    return this.#disposed;
  }

  /** Gives back every lease, disposes, and checks that nothing is owed and nothing is held. */
  async finish(): Promise<void> {
    this.#releaseAll();
    await this.dispose();
    this.#releaseAll();
    for (const owed of this.ledger.unsettled())
      this.ledger.violate(`C2: ${owed} never completed, not even by disposal`);
    const { streams, listeners, pending, leases } = this.port.stats();
    for (const [name, value] of Object.entries({ streams, listeners, pending, leases })) {
      if (value !== 0) this.ledger.violate(`C2: after disposal, stats().${name} is ${value}`);
    }
    if (this.ledger.violations.length > 0) throw this.failure(this.ledger.violations.join('\n'));
  }

  #releaseAll(): void {
    for (const lease of this.ledger.leases()) this.port.release(lease);
  }

  #sink(batch: CompletionBatch): void {
    const verb = this.#checked.runningVerb;
    if (verb !== undefined) this.ledger.violate(`C1: the sink ran before ${verb} returned`);
    if (this.#insideSink) this.ledger.violate('C1: the sink ran inside the sink');
    this.#insideSink = true;
    try {
      if (batch.length === 0) this.ledger.violate('C2: an empty batch');
      const size = this.stepwise ? 1 : batch.length;
      for (let from = 0; from < batch.length; from += size) {
        const completions: Completion[] = [];
        for (let index = from; index < from + size; index++) completions.push(takeOut(batch, index));
        for (const completion of completions) {
          this.ledger.completed(completion);
          this.#deliver(completion);
        }
        this.onBatch?.(completions);
      }
    } finally {
      this.#insideSink = false;
    }
  }

  #deliver(completion: Completion): void {
    const key = keyOf(completion.handle, completion.operation);
    const waiters = this.#waiters.get(key);
    const waiter = waiters?.shift();
    if (waiters?.length === 0) this.#waiters.delete(key);
    if (waiter === undefined) this.#arrived.push(completion);
    else waiter.resolve(completion);
  }
}

function withRejection(): { readonly promise: Promise<never>; readonly reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_, rejected) => {
    reject = rejected;
  });
  return { promise, reject };
}

function keyOf(handle: Handle, operation: Operation): string {
  return `${handle}:${operation}`;
}

function takeOut(batch: CompletionBatch, index: number): Completion {
  const operation = batch.operation(index);
  const handle = batch.handle(index);
  const result = batch.result(index);
  if (operation !== Operation.recv || result <= 0) return { operation, handle, result, bytes: empty, lease: null };
  const start = batch.start(index);
  const bytes = batch.memory(index).subarray(start, start + result);
  return { operation, handle, result, bytes, lease: batch.lease(index) };
}
