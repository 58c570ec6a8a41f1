import { Errno, errnoName, type Handle, type Lease, Operation, type Segment } from 'bufferevent-backend';
import { sameBytes } from './bytes.js';

/** One completion, copied out of its batch. */
export interface Completion {
  readonly operation: Operation;
  readonly handle: Handle;
  readonly result: number;
  /** The received bytes, in the memory of the backend: valid until released. Empty for everything but `recv`. */
  readonly bytes: Uint8Array;
  /** `null` when no memory came with it. */
  readonly lease: Lease | null;
}

interface Flight {
  readonly operation: Operation;
  /** `recv`: most bytes; `send` and `sendFile`: bytes asked for; `accept`: credits left. */
  amount: number;
  /** `send`: what the borrowed memory held at submission (C4). */
  readonly borrowed: readonly { readonly live: Uint8Array; readonly copy: Uint8Array }[];
  /** `shutdown`: the sends that must finish first (C9). */
  readonly after: readonly Flight[];
}

interface HandleRecord {
  state: 'open' | 'closing' | 'gone';
  ended: boolean;
  readonly flights: Map<Operation, Flight>;
}

const names = new Map<number, string>(Object.entries(Operation).map(([name, operation]) => [operation, name]));
const known = new Set<number>(Object.values(Errno));
const finals: ReadonlySet<Operation> = new Set([Operation.close, Operation.reset, Operation.detach]);
const nothingBorrowed: Flight['borrowed'] = [];
const nothingBefore: Flight['after'] = [];

/** Comparing more than this per send would make the suite measure itself. */
const MAX_BORROWED_COPY = 1 << 20;

export function operationName(operation: Operation): string {
  return names.get(operation) ?? `operation ${operation}`;
}

/**
 * What a port owes its user, kept beside the port: every submission is written down, every completion is held against
 * it. What does not fit is a violation, named by its rule. Knows no backend and never throws.
 */
export class Ledger {
  readonly violations: string[] = [];
  readonly #handles = new Map<Handle, HandleRecord>();
  readonly #leases = new Map<Lease, { readonly live: Uint8Array; readonly copy: Uint8Array }>();
  readonly #log: string[] = [];
  #forgotten = 0;

  violate(text: string): void {
    this.note(`VIOLATION ${text}`);
    if (this.violations.length < 20) this.violations.push(text);
  }

  note(line: string): void {
    if (this.#log.push(line) > 400) this.#forgotten += this.#log.splice(0, 200).length;
  }

  opened(handle: Handle, how: string): void {
    if (!Number.isSafeInteger(handle) || handle <= 0) this.violate(`C12: ${how} gave ${handle}, which is no handle`);
    if (this.#handles.has(handle)) this.violate(`C12: ${how} gave handle ${handle} a second time`);
    this.#handles.set(handle, { state: 'open', ended: false, flights: new Map() });
    this.note(`${how} → handle ${handle}`);
  }

  submitted(handle: Handle, operation: Operation, amount = 0, segments: readonly Segment[] = []): void {
    this.note(`submit ${operationName(operation)} on ${handle}${amount > 0 ? ` (${amount})` : ''}`);
    const record = this.#handles.get(handle);
    if (record === undefined) return this.violate(`C12: ${operationName(operation)} accepted unknown handle ${handle}`);
    if (record.state !== 'open') {
      this.violate(`C12: ${operationName(operation)} accepted handle ${handle}, which is ${record.state}`);
    }
    if (record.flights.has(operation)) {
      this.violate(`C3: a second ${operationName(operation)} was accepted on ${handle} while one is in flight`);
    }
    if (finals.has(operation)) record.state = 'closing';
    record.flights.set(operation, {
      operation,
      amount,
      borrowed: borrow(segments, amount),
      after: operation === Operation.shutdown ? sends(record) : nothingBefore,
    });
  }

  loweredMax(handle: Handle, max: number): void {
    this.note(`lowerRecvMax on ${handle} (${max})`);
    const flight = this.#handles.get(handle)?.flights.get(Operation.recv);
    if (flight !== undefined && max < flight.amount) flight.amount = max;
  }

  completed(completion: Completion): void {
    const { operation, handle, result } = completion;
    const what = `${operationName(operation)} on ${handle}`;
    this.note(`done ${what}: ${result < 0 ? `-${errnoName(result)}` : result}`);
    if (!Number.isSafeInteger(result)) this.violate(`C13: ${what} completed with ${result}`);
    if (result < 0 && !known.has(-result)) this.violate(`C13: ${what} completed with ${result}, which is in no table`);
    const record = this.#handles.get(handle);
    if (record === undefined) return this.violate(`C12: ${what} completed, but no such handle was given out`);
    if (record.state === 'gone') this.violate(`C11: ${what} completed after the handle was closed`);
    const flight = record.flights.get(operation);
    if (flight === undefined) return this.violate(`C2: ${what} completed, but none was in flight`);
    if (operation !== Operation.accept) record.flights.delete(operation);
    this.#checkBorrowed(flight, what);
    if (operation === Operation.recv) this.#received(record, flight, completion, what);
    else if (operation === Operation.accept) this.#accepted(record, flight, completion, what);
    else if (operation === Operation.send || operation === Operation.sendFile) {
      if (result > flight.amount) this.violate(`C9: ${what} moved ${result} of ${flight.amount} bytes`);
      if (result === 0 && operation === Operation.send) this.violate(`C9: ${what} completed with 0: no progress`);
    } else if (operation === Operation.shutdown) {
      if (flight.after.some((send) => record.flights.get(send.operation) === send)) {
        this.violate(`C9: ${what} completed before the send that was in flight when it was submitted`);
      }
    } else if (finals.has(operation)) this.#gone(record, completion, what);
    else if (result > 0) this.violate(`C13: ${what} completed with ${result}; success is 0`);
  }

  /** Checks the bytes under a lease that is about to be given back. */
  released(lease: Lease): void {
    this.#checkLease(lease);
    this.#leases.delete(lease);
  }

  /** Leases not given back yet. */
  leases(): readonly Lease[] {
    return [...this.#leases.keys()];
  }

  /** What is still in flight, as text. */
  unsettled(): readonly string[] {
    const lines: string[] = [];
    for (const [handle, record] of this.#handles) {
      for (const operation of record.flights.keys()) lines.push(`${operationName(operation)} on ${handle}`);
    }
    return lines;
  }

  inFlight(handle: Handle, operation: Operation): boolean {
    return this.#handles.get(handle)?.flights.has(operation) ?? false;
  }

  /** Everything seen and submitted, oldest first. */
  dump(): string {
    const head = this.#forgotten > 0 ? [`(${this.#forgotten} earlier lines left out)`] : [];
    return [...head, ...this.#log].map((line) => `    ${line}`).join('\n');
  }

  #received(record: HandleRecord, flight: Flight, completion: Completion, what: string): void {
    const { result, lease, bytes } = completion;
    if (result > flight.amount) this.violate(`C7: ${what} yielded ${result} bytes, asked for at most ${flight.amount}`);
    if (result > 0 && record.ended) this.violate(`C8: ${what} yielded bytes after the end of the stream`);
    if (result === 0) record.ended = true;
    if (result <= 0) return;
    if (bytes.length !== result) this.violate(`C5: ${what}: memory holds ${bytes.length} of ${result} bytes`);
    if (lease === null) return this.violate(`C5: ${what} gave memory without a lease`);
    if (this.#leases.has(lease)) this.violate(`C5: ${what} gave lease ${lease}, which is out already`);
    this.#leases.set(lease, { live: bytes, copy: bytes.slice() });
  }

  #accepted(record: HandleRecord, flight: Flight, { result }: Completion, what: string): void {
    if (result === -Errno.ECANCELED) record.flights.delete(Operation.accept);
    if (result < 0) return;
    this.opened(result, what);
    flight.amount--;
    if (flight.amount === 0) record.flights.delete(Operation.accept);
  }

  #gone(record: HandleRecord, { operation, result }: Completion, what: string): void {
    const left = [...record.flights.keys()].map(operationName);
    if (left.length > 0) this.violate(`C11: ${what} completed before ${left.join(', ')}`);
    if (operation !== Operation.detach && result !== 0) this.violate(`C11: ${what} completed with ${result}, not 0`);
    record.state = 'gone';
  }

  #checkBorrowed(flight: Flight, what: string): void {
    for (const { live, copy } of flight.borrowed) {
      // Memory that its owner detached has nothing left to compare.
      if (live.byteLength === copy.byteLength && !sameBytes(live, copy)) {
        return this.violate(`C4: ${what} changed the memory it had borrowed`);
      }
    }
  }

  #checkLease(lease: Lease): void {
    const held = this.#leases.get(lease);
    if (held !== undefined && !sameBytes(held.live, held.copy)) {
      this.violate(`C5: the bytes under lease ${lease} changed before it was released`);
    }
  }
}

function sends(record: HandleRecord): Flight[] {
  return [Operation.send, Operation.sendFile].flatMap((operation) => record.flights.get(operation) ?? []);
}

function borrow(segments: readonly Segment[], amount: number): Flight['borrowed'] {
  if (segments.length === 0 || amount > MAX_BORROWED_COPY) return nothingBorrowed;
  // Detached memory cannot be looked at; its send fails with EFAULT.
  const intact = segments.filter(({ memory, end }) => memory.length >= end);
  return intact.map(({ memory, start, end }) => {
    const live = memory.subarray(start, end);
    return { live, copy: live.slice() };
  });
}
