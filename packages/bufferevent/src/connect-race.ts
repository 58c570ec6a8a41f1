import {
  type Address,
  type CompletionBatch,
  type Handle,
  type IpAddress,
  Operation,
  systemError,
} from 'bufferevent-backend';
import type { Timer } from './clock.js';
import type { CompletionOwner, EventBase } from './event-base.js';
import type { LookupAddress } from './lookup.js';

/** Time that one attempt has for itself before the next address is tried beside it (RFC 8305 §5). */
export const ATTEMPT_DELAY_MS = 250;

export interface RaceResult {
  onConnected(handle: Handle, address: Address): void;
  onFailed(error: Error): void;
}

/**
 * Connects to the first of several addresses that answers (Happy Eyeballs v2, RFC 8305): attempts start 250 ms apart,
 * or as soon as the one before has failed; the first success closes the others. One address is a race of one.
 */
export class ConnectRace implements CompletionOwner {
  readonly #base: EventBase;
  readonly #addresses: readonly Address[];
  readonly #localAddress: IpAddress | undefined;
  readonly #result: RaceResult;
  readonly #running: Map<Handle, Address> = new Map();
  readonly #errors: Error[] = [];
  #next = 0;
  #over = false;
  #referenced = true;
  #timer: Timer | null = null;

  constructor(base: EventBase, addresses: readonly Address[], localAddress: IpAddress | undefined, result: RaceResult) {
    this.#base = base;
    this.#addresses = addresses;
    this.#localAddress = localAddress;
    this.#result = result;
  }

  /** Starts the first attempt. Throws what the port throws for an address that is none; nothing is started then. */
  start(): void {
    this.#attempt();
  }

  /** The address that was tried last, for the error of a time-out. */
  get lastAddress(): Address | null {
    return this.#addresses[this.#next - 1] ?? null;
  }

  /** Whether the attempts keep the process alive. */
  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    for (const handle of this.#running.keys()) {
      if (referenced) this.#base.port.ref(handle);
      else this.#base.port.unref(handle);
    }
  }

  /** Gives up: closes every attempt and tells nobody. */
  cancel(): void {
    this.#finish();
  }

  onCompletion(operation: Operation, result: number, batch: CompletionBatch, index: number): void {
    const handle = batch.handle(index);
    if (operation === Operation.close) this.#base.disown(handle);
    if (operation !== Operation.connect || this.#over) return;
    const address = this.#running.get(handle) as Address;
    this.#running.delete(handle);
    if (result >= 0) {
      this.#finish();
      this.#result.onConnected(handle, address);
      return;
    }
    this.#base.port.close(handle);
    this.#errors.push(systemError(result, 'connect', address));
    this.#timer?.cancel();
    this.#tryNext();
  }

  /** The next address that is one; the end of the race when there is none and nobody runs any more. */
  #tryNext(): void {
    while (this.#next < this.#addresses.length) {
      try {
        this.#attempt();
        return;
      } catch (error) {
        this.#errors.push(error as Error);
      }
    }
    if (this.#running.size > 0) return;
    this.#finish();
    this.#result.onFailed(this.#failure());
  }

  #attempt(): void {
    const address = this.#addresses[this.#next] as Address;
    this.#next++;
    const options = this.#localAddress === undefined ? {} : { localAddress: this.#localAddress };
    const handle = this.#base.port.connect(address, options);
    this.#running.set(handle, address);
    this.#base.own(handle, this);
    if (!this.#referenced) this.#base.port.unref(handle);
    if (this.#next < this.#addresses.length) {
      this.#timer = this.#base.clock.setTimer(this.#onDelay, ATTEMPT_DELAY_MS);
    }
  }

  readonly #onDelay = (): void => {
    if (!this.#over) this.#base.inTurn(() => this.#tryNext());
  };

  #finish(): void {
    this.#over = true;
    this.#timer?.cancel();
    for (const handle of this.#running.keys()) this.#base.port.close(handle);
    this.#running.clear();
  }

  /** Node's shape: the error itself for one address, an `AggregateError` with the fields of the first for several. */
  #failure(): Error {
    const first = this.#errors[0] as Error & { code: string; errno: number; syscall: string; address?: string };
    if (this.#errors.length === 1) return first;
    const { code, errno, syscall } = first;
    const where = 'address' in first ? { address: first.address, port: (first as { port?: number }).port } : {};
    const message = this.#errors.map((error) => error.message).join('; ');
    return Object.assign(new AggregateError(this.#errors, message), { code, errno, syscall, ...where });
  }
}

/**
 * The order in which addresses are tried: as the resolver prefers them, but with the families taking turns, so that a
 * family that does not work costs one attempt and not all (RFC 8305 §4).
 */
export function interleaveFamilies(addresses: readonly LookupAddress[]): LookupAddress[] {
  const firstFamily = addresses[0]?.family;
  const preferred = addresses.filter((address) => address.family === firstFamily);
  const others = addresses.filter((address) => address.family !== firstFamily);
  const order: LookupAddress[] = [];
  for (let i = 0; i < Math.max(preferred.length, others.length); i++) {
    if (preferred[i] !== undefined) order.push(preferred[i] as LookupAddress);
    if (others[i] !== undefined) order.push(others[i] as LookupAddress);
  }
  return order;
}
