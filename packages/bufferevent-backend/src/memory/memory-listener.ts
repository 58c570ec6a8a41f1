import { type Address, type Handle, type ListenOptions, Operation } from '../contract.js';
import { Errno } from '../errno.js';
import type { ConnectionEnd } from './connection-end.js';
import { Endpoint, type PortInside } from './endpoint.js';

/** What a listener needs of its port beyond {@link PortInside}. */
export interface ListenerPort extends PortInside {
  /** Connections taken beyond the backlog while there are no credits. */
  readonly acceptAhead: number;
  /** Running out of descriptors is noticed and reported (C20); otherwise the connection is dropped. */
  readonly reportsAcceptErrors: boolean;
  /** Makes a stream of an accepted end, which has its descriptor. */
  welcome(end: ConnectionEnd): Handle;
}

/** A listener of a port: a bound address, the connections that wait to be accepted, and credits for them. */
export class MemoryListener extends Endpoint {
  readonly options: ListenOptions;
  /** Where it was asked to listen. */
  readonly wanted: Address;
  /** Where it listens: set once bound, with its port. */
  bound: Address | null = null;
  descriptor = -1;
  readonly #port: ListenerPort;
  readonly #backlog: ConnectionEnd[] = [];
  /** Streams whose connect waits for room in the backlog. */
  readonly #waiting: Set<Endpoint> = new Set();
  #credits = 0;
  #starved = false;

  constructor(port: ListenerPort, wanted: Address, options: ListenOptions) {
    super(port);
    this.#port = port;
    this.wanted = wanted;
    this.options = options;
  }

  accept(credits: number): void {
    this.#credits = credits;
    this.begin(Operation.accept);
    if (!this.isActive(Operation.listen) && this.bound === null) this.cancel();
  }

  /** Ends the credits that remain with one `-ECANCELED` (C2). */
  cancel(): void {
    if (!this.isActive(Operation.accept)) return;
    this.#credits = 0;
    this.finish(Operation.accept, -Errno.ECANCELED);
  }

  /** Room for one more connection; otherwise `stream` is woken when there is. */
  hasRoom(stream: Endpoint): boolean {
    const limit = Math.max(1, this.options.backlog ?? 511) + this.#port.acceptAhead;
    if (this.#backlog.length < limit) return true;
    this.#waiting.add(stream);
    return false;
  }

  /** A connection for the backlog. */
  offer(end: ConnectionEnd): void {
    this.#backlog.push(end);
    this.wake();
  }

  override progress(): void {
    if (this.isActive(Operation.listen)) this.#progressListen();
    if (this.isActive(Operation.accept)) this.#progressAccept();
  }

  override cancelAll(): void {
    if (this.isActive(Operation.listen)) this.finish(Operation.listen, -Errno.ECANCELED);
    this.cancel();
  }

  /** Frees the address. Connections that nobody accepted are reset, those that wait for room are refused. */
  override dismantle(): void {
    const { world } = this.port;
    world.unbind(this);
    for (const end of this.#backlog.splice(0)) world.closeEnd(end, true);
    this.#wakeWaiting();
  }

  #progressListen(): void {
    const result = this.port.world.bind(this);
    this.finish(Operation.listen, result);
    // Credits given before the failure was known end with it.
    if (result < 0) this.cancel();
  }

  #progressAccept(): void {
    const { descriptors } = this.port.world;
    while (this.#credits > 0 && this.#backlog.length > 0) {
      const end = this.#backlog[0] as ConnectionEnd;
      const descriptor = descriptors.add(end);
      if (descriptor === -1) {
        if (this.#port.reportsAcceptErrors) {
          if (!this.#starved) this.report(Operation.accept, -Errno.EMFILE);
          this.#starved = true;
          this.port.world.starve(this);
          return;
        }
        this.#backlog.shift();
        this.port.world.closeEnd(end, false);
        continue;
      }
      end.descriptor = descriptor;
      this.#backlog.shift();
      // Caught up: the episode is over. A descriptor freed now and then does not end it, or each would be reported.
      if (this.#backlog.length === 0) this.#starved = false;
      this.#credits--;
      const handle = this.#port.welcome(end);
      if (this.#credits === 0) this.finish(Operation.accept, handle);
      else this.report(Operation.accept, handle);
    }
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    for (const stream of this.#waiting) stream.wake();
    this.#waiting.clear();
  }
}
