import { isIPv4 } from 'node:net';
import type { Address, IpAddress } from '../contract.js';
import { Errno } from '../errno.js';
import { canonicalIp, isWildcard } from './address.js';
import { AddressBook } from './address-book.js';
import { ConnectionEnd } from './connection-end.js';
import { DescriptorTable } from './descriptor-table.js';
import type { Endpoint } from './endpoint.js';
import type { MemoryListener } from './memory-listener.js';

/** Whoever has completions to hand over at the end of a step. */
export interface Deliverer {
  deliver(): void;
}

export interface WorldOptions {
  readonly manual: boolean;
  readonly capacity: number;
  readonly resetDiscards: boolean;
}

/** About twelve days: the longest a timer may take without a warning. Only its being referenced matters. */
const KEEP_ALIVE_MS = 2 ** 30;

/*
 *   a step:   ready endpoints, in the order in which they became ready     move bytes, gather completions
 *             ports with completions, in the order of their first one      hand over one batch each
 *
 * What a step makes ready, and what sinks submit, waits for the next step. Nothing else drives anything, so the same
 * calls give the same steps.
 */

/** The inside of a {@link MemoryNetwork}: what its ports share. */
export class World {
  readonly addresses: AddressBook = new AddressBook();
  readonly descriptors: DescriptorTable;
  readonly #options: WorldOptions;
  #ready: Endpoint[] = [];
  #spareReady: Endpoint[] = [];
  #deliverable: Deliverer[] = [];
  #spareDeliverable: Deliverer[] = [];
  /** Listeners that wait for a descriptor. */
  readonly #starving: Set<Endpoint> = new Set();
  /** Connects that wait in a black hole. */
  readonly #stuck: Set<Endpoint> = new Set();
  #stepping = false;
  #scheduled = false;
  /** Ports that want the process kept alive (C16). */
  #holders = 0;
  #keepAlive: NodeJS.Timeout | null = null;
  readonly #onTurn: () => void = () => {
    this.#scheduled = false;
    this.step();
  };

  constructor(options: WorldOptions) {
    this.#options = options;
    this.descriptors = new DescriptorTable(() => wakeAll(this.#starving));
  }

  step(): boolean {
    if (this.#stepping) throw new Error('a step of the memory network is under way: sinks may not step');
    this.#stepping = true;
    try {
      const ready = this.#ready;
      this.#ready = this.#spareReady;
      for (const endpoint of ready) {
        endpoint.queued = false;
        endpoint.progress();
      }
      const deliverable = this.#deliverable;
      this.#deliverable = this.#spareDeliverable;
      for (const port of deliverable) port.deliver();
      const happened = ready.length > 0 || deliverable.length > 0;
      ready.length = 0;
      deliverable.length = 0;
      this.#spareReady = ready;
      this.#spareDeliverable = deliverable;
      return happened;
    } finally {
      this.#stepping = false;
      this.#schedule();
    }
  }

  settle(maxSteps: number): number {
    for (let steps = 0; steps < maxSteps; steps++) {
      if (this.#ready.length === 0 && this.#deliverable.length === 0) return steps;
      this.step();
    }
    throw new Error(`the memory network did not come to rest within ${maxSteps} steps`);
  }

  ready(endpoint: Endpoint): void {
    this.#ready.push(endpoint);
    this.#schedule();
  }

  deliverable(port: Deliverer): void {
    this.#deliverable.push(port);
    this.#schedule();
  }

  /** A port wants the process kept alive, or no longer does. */
  hold(on: boolean): void {
    this.#holders += on ? 1 : -1;
    if (this.#options.manual) return;
    if (this.#holders === 0) this.#keepAlive?.unref();
    else if (this.#keepAlive === null) this.#keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
    else this.#keepAlive.ref();
  }

  newEnd(): ConnectionEnd {
    return new ConnectionEnd(this.#options.capacity, this.#options.resetDiscards);
  }

  starve(listener: Endpoint): void {
    this.#starving.add(listener);
  }

  /** Lets every connect in a black hole try again. */
  unstick(): void {
    wakeAll(this.#stuck);
  }

  bind(listener: MemoryListener): number {
    listener.descriptor = this.descriptors.add('listener');
    if (listener.descriptor === -1) return -Errno.EMFILE;
    return this.addresses.bind(listener);
  }

  unbind(listener: MemoryListener): void {
    this.addresses.unbind(listener);
    this.#starving.delete(listener);
    if (listener.descriptor !== -1) this.descriptors.remove(listener.descriptor);
    listener.descriptor = -1;
  }

  /** Tries to connect `end`: 0, a negated errno, or `null` when `stream` will be woken to try again. */
  dial(stream: Endpoint, end: ConnectionEnd, target: Address, local: IpAddress | undefined): number | null {
    if (end.descriptor === -1) end.descriptor = this.descriptors.add(end);
    if (end.descriptor === -1) return -Errno.EMFILE;
    const wanted = 'path' in target ? target : reachable(target);
    if ('ip' in wanted && end.local === null) {
      const bound = this.addresses.bindDialler(wanted, local);
      if (typeof bound === 'number') return bound;
      end.local = bound;
      end.dialled = true;
    }
    if (this.addresses.isBlackholed(wanted)) {
      this.#stuck.add(stream);
      return null;
    }
    const listener = this.addresses.find(wanted);
    if (typeof listener === 'number') return listener;
    if (!listener.hasRoom(stream)) return null;
    const accepted = this.newEnd();
    end.remote = wanted;
    accepted.local = asSeenBy(listener, wanted);
    accepted.remote = end.local === null ? null : asSeenBy(listener, end.local);
    end.join(accepted);
    listener.offer(accepted);
    return 0;
  }

  /** Closes an end and frees its descriptor and address. */
  closeEnd(end: ConnectionEnd, reset: boolean): void {
    if (reset) end.reset();
    else end.close();
    if (end.dialled && end.local !== null) this.addresses.unbindDialler(end.local as IpAddress);
    if (end.descriptor !== -1) this.descriptors.remove(end.descriptor);
    end.descriptor = -1;
  }

  #schedule(): void {
    if (this.#scheduled || this.#stepping || this.#options.manual) return;
    if (this.#ready.length === 0 && this.#deliverable.length === 0) return;
    this.#scheduled = true;
    // An unreferenced immediate would sleep until something else wakes the loop; an unreferenced timer does not.
    if (this.#holders > 0) setImmediate(this.#onTurn);
    else setTimeout(this.#onTurn, 0).unref();
  }
}

function wakeAll(endpoints: Set<Endpoint>): void {
  const woken = [...endpoints];
  endpoints.clear();
  for (const endpoint of woken) endpoint.wake();
}

/** A wildcard as a target means this host. */
function reachable(target: IpAddress): IpAddress {
  const ip = canonicalIp(target.ip);
  return { ip: isWildcard(ip) ? (isIPv4(ip) ? '127.0.0.1' : '::1') : ip, port: target.port };
}

/** A dual-stack listener sees IPv4 addresses mapped into IPv6. */
function asSeenBy(listener: MemoryListener, address: Address): Address {
  const { bound } = listener;
  if (bound === null || 'path' in bound || 'path' in address || isIPv4(bound.ip) || !isIPv4(address.ip)) return address;
  return { ip: `::ffff:${address.ip}`, port: address.port };
}
