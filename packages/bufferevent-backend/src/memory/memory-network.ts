import { checkAddress, checkInteger, checkIpAddress } from '../arguments.js';
import type { Address } from '../contract.js';
import { Errno } from '../errno.js';
import { argumentTypeError } from '../errors.js';
import { systemError } from '../system-error.js';
import { ConnectionEnd } from './connection-end.js';
import { MemoryFile } from './memory-file.js';
import { World } from './world.js';

export interface MemoryNetworkOptions {
  /**
   * `auto` (default): while there is something to do, one step a turn of the event loop, so that the backend can be
   * used like any other. `manual`: nothing happens but by {@link MemoryNetwork.step} and {@link MemoryNetwork.settle}.
   */
  readonly scheduling?: 'auto' | 'manual';
  /** Bytes that fit between the two ends of a stream, in each direction. Default 65536. */
  readonly capacity?: number;
  /** Addresses that exist besides 127.0.0.0/8, ::1 and the wildcards. More with {@link MemoryNetwork.addHost}. */
  readonly hosts?: readonly string[];
  /** Most virtual descriptors open at once. Default unlimited. */
  readonly descriptorLimit?: number;
  /**
   * A reset also drops the bytes that its receiver had not read yet, as Windows does. Default false: they are read
   * first, then the error, as on Linux.
   */
  readonly resetDiscardsUnread?: boolean;
}

/** The inside of a network, for this folder. Assigned by the class, the only one that can look. */
export let worldOf: (network: MemoryNetwork) => World;

/**
 * The world in which the ports of memory backends meet: addresses, connections and virtual descriptors. There is no real
 * I/O, no clock and no chance in it; the same calls give the same completions in the same steps.
 */
export class MemoryNetwork {
  static {
    worldOf = (network) => network.#world;
  }

  readonly #world: World;

  /** Throws `TypeError`/`RangeError` for malformed options. */
  constructor(options: MemoryNetworkOptions = {}) {
    const { scheduling = 'auto', capacity = 65536, descriptorLimit } = options;
    if (scheduling !== 'auto' && scheduling !== 'manual') {
      throw argumentTypeError('options.scheduling', "'auto' or 'manual'", scheduling);
    }
    checkInteger('options.capacity', capacity, 1, 2 ** 30);
    this.#world = new World({
      manual: scheduling === 'manual',
      capacity,
      resetDiscards: options.resetDiscardsUnread === true,
    });
    for (const ip of options.hosts ?? []) this.addHost(ip);
    if (descriptorLimit !== undefined) this.descriptorLimit = descriptorLimit;
  }

  /**
   * One wake-up of every port that has something: bytes move once, then each port hands over one batch. What sinks
   * submit waits for the next step. Returns whether anything happened. Throws when called from a sink.
   */
  step(): boolean {
    return this.#world.step();
  }

  /**
   * Steps until nothing is left to do, and returns the number of steps. Throws when there still is after `maxSteps`
   * (default 100,000): two sinks that answer each other for ever.
   */
  settle(maxSteps = 100_000): number {
    checkInteger('maxSteps', maxSteps, 0, Number.MAX_SAFE_INTEGER);
    return this.#world.settle(maxSteps);
  }

  /** Makes an address exist, so that it can be bound. Binding another fails with `EADDRNOTAVAIL`. */
  addHost(ip: string): void {
    checkIpAddress('host', { ip, port: 0 });
    this.#world.addresses.addHost(ip);
  }

  /** Every connect to the address (with port 0: to the host) fails with `ECONNREFUSED`, whoever listens there. */
  refuse(address: Address): void {
    checkAddress('address', address);
    this.#world.addresses.refuse(address);
  }

  /** Connects to the address (with port 0: to the host) never complete, until cancelled or {@link restore}d. */
  blackhole(address: Address): void {
    checkAddress('address', address);
    this.#world.addresses.blackhole(address);
  }

  /** Takes back {@link refuse} and {@link blackhole}; connects that wait in the black hole go on. */
  restore(address: Address): void {
    checkAddress('address', address);
    this.#world.addresses.restore(address);
    this.#world.unstick();
  }

  /**
   * Two connected streams as descriptors, for {@link Port.adopt} or {@link closeDescriptor}. They belong to the caller.
   * Throws a system error `EMFILE` at the limit.
   */
  socketPair(): [number, number] {
    const { descriptors } = this.#world;
    const ends = [this.#world.newEnd(), this.#world.newEnd()] as const;
    if (descriptors.limit - descriptors.open < 2) throw systemError(-Errno.EMFILE, 'socketpair');
    ends[0].join(ends[1]);
    for (const end of ends) end.descriptor = descriptors.add(end);
    return [ends[0].descriptor, ends[1].descriptor];
  }

  /**
   * A file for {@link Port.sendFile} that holds zeros up to offset `at` (default 0), then `bytes` (kept, not copied).
   * Belongs to the caller. Throws a system error `EMFILE` at the limit.
   */
  openFile(bytes: Uint8Array, at = 0): number {
    if (!(bytes instanceof Uint8Array)) throw argumentTypeError('bytes', 'a Uint8Array', bytes);
    checkInteger('at', at, 0, Number.MAX_SAFE_INTEGER - bytes.length);
    const descriptor = this.#world.descriptors.add(new MemoryFile(bytes, at));
    if (descriptor === -1) throw systemError(-Errno.EMFILE, 'open');
    return descriptor;
  }

  /** Closes a descriptor that belongs to the caller. Throws a system error `EBADF` when it is not open. */
  closeDescriptor(descriptor: number): void {
    const target = this.#world.descriptors.get(descriptor);
    const owned = target instanceof ConnectionEnd && target.owner !== null;
    if (target === null || target === 'listener' || owned) throw systemError(-Errno.EBADF, 'close');
    if (target instanceof ConnectionEnd) this.#world.closeEnd(target, false);
    else this.#world.descriptors.remove(descriptor);
  }

  /** Virtual descriptors that are open: one for each listener, stream and file; none for what waits in a backlog. */
  get openDescriptors(): number {
    return this.#world.descriptors.open;
  }

  /** Most of them at once. At the limit accept, connect and listen meet `EMFILE` (C20). Raising it lets accept go on. */
  get descriptorLimit(): number {
    return this.#world.descriptors.limit;
  }

  set descriptorLimit(limit: number) {
    if (limit !== Number.POSITIVE_INFINITY) checkInteger('descriptorLimit', limit, 0, Number.MAX_SAFE_INTEGER);
    this.#world.descriptors.limit = limit;
  }
}
