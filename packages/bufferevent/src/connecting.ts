import { type Address, Errno, type Handle, type IpAddress, systemError } from 'bufferevent-backend';
import { ConnectRace, interleaveFamilies } from './connect-race.js';
import {
  type ConnectTarget,
  type HostTarget,
  isHostTarget,
  reachableAddresses,
  reachableHost,
} from './connect-target.js';
import type { EventBase } from './event-base.js';
import { type LookupError, resolveHost } from './lookup.js';
import type { StreamSettings } from './stream-options.js';

/** @internal What connecting needs of the socket around it. */
export interface ConnectingHost {
  readonly base: EventBase;
  /** A lookup has begun, and both directions rest; or, not `pending`, it is over or was given up. */
  lookingUp(pending: boolean): void;
  /** The first address that answered; its stream has the options that were asked for. */
  connected(handle: Handle, address: Address): void;
  /** Nobody answered, or the host has no address. Not after {@link Connecting.stop}. */
  connectFailed(error: Error): void;
}

/**
 * @internal What a socket has of its `connect()`, the last one; those that were accepted have none.
 *
 *      host ── lookup ─► addresses ── race ─► handle
 *
 * It knows how to come to a handle, and who waits for the outcome; what the socket is meanwhile, the socket knows.
 */
export class Connecting {
  readonly #host: ConnectingHost;
  #lookupError: LookupError | null = null;
  /** The lookup whose answer is awaited; one that was given up answers nobody. */
  #lookup: object | null = null;
  #race: ConnectRace | null = null;
  #settings: StreamSettings | null = null;
  #referenced = true;
  #onOutcome: ((error: Error | null) => void) | null = null;

  constructor(host: ConnectingHost) {
    this.#host = host;
  }

  /** Why the last attempt found no address for its host. */
  get lookupError(): LookupError | null {
    return this.#lookupError;
  }

  /** The address that was tried last, for the error of a time-out. */
  get lastAddress(): Address | null {
    return this.#race?.lastAddress ?? null;
  }

  /** Another attempt: the one before is forgotten. `settings` are applied to its stream. */
  renew(settings: StreamSettings | null): void {
    this.#settings = settings;
    this.#lookupError = null;
  }

  /** Throws for what is no target of `localAddress`, and what the port throws; nothing is under way then. */
  start(target: ConnectTarget, localAddress: IpAddress | undefined): void {
    if (isHostTarget(target)) this.#lookUp(reachableHost(target, localAddress), localAddress);
    else this.#startRace('addresses' in target ? target.addresses : [target], localAddress);
  }

  /** Gives up what is under way, and tells nobody. */
  stop(): void {
    if (this.#lookup !== null) {
      this.#lookup = null;
      this.#host.lookingUp(false);
    }
    this.#race?.cancel();
    this.#race = null;
  }

  /** Whether the attempts keep the process alive. */
  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    this.#race?.setReferenced(referenced);
  }

  /** Calls back once with the outcome, `null` for an open connection, before any handler. */
  onOutcome(callback: (error: Error | null) => void): void {
    this.#onOutcome = callback;
  }

  /** The outcome, for who waits for it. */
  settle(error: Error | null): void {
    const report = this.#onOutcome;
    this.#onOutcome = null;
    report?.(error);
  }

  #lookUp(target: HostTarget, localAddress: IpAddress | undefined): void {
    const { base } = this.#host;
    this.#host.lookingUp(true);
    const lookup = {};
    this.#lookup = lookup;
    const settled = (step: () => void) => {
      if (this.#lookup !== lookup) return;
      this.#lookup = null;
      this.#host.lookingUp(false);
      base.inTurn(step);
    };
    resolveHost(base, target).then(
      (addresses) =>
        settled(() => {
          const ordered = interleaveFamilies(addresses);
          const targets = ordered.map(({ address }) => ({ ip: address, port: target.port }));
          try {
            this.#startRace(targets, localAddress);
          } catch (error) {
            this.#host.connectFailed(error as Error);
          }
        }),
      (error: LookupError) =>
        settled(() => {
          this.#lookupError = error;
          this.#host.connectFailed(error);
        }),
    );
  }

  #startRace(addresses: readonly Address[], localAddress: IpAddress | undefined): void {
    if (addresses.length === 0) {
      this.#host.connectFailed(systemError(-Errno.EADDRNOTAVAIL, 'connect'));
      return;
    }
    const { base } = this.#host;
    const race = new ConnectRace(base, reachableAddresses(addresses, localAddress), localAddress, {
      onConnected: (handle, address) => {
        this.#race = null;
        this.#settings?.apply(base.port, handle);
        this.#host.connected(handle, address);
      },
      onFailed: (error) => this.#host.connectFailed(error),
    });
    if (!this.#referenced) race.setReferenced(false);
    race.start();
    this.#race = race;
  }
}
