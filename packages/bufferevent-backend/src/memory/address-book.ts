import { isIPv4 } from 'node:net';
import type { Address, IpAddress } from '../contract.js';
import { Errno } from '../errno.js';
import { addressKey, canonicalIp, isLoopback, isWildcard, MAX_PATH_BYTES } from './address.js';
import type { MemoryListener } from './memory-listener.js';

const FIRST_EPHEMERAL = 32768;
const LAST_EPHEMERAL = 60999;

/** Who listens where, and which addresses exist, refuse or swallow. */
export class AddressBook {
  readonly #hosts: Set<string> = new Set();
  readonly #byPort: Map<number, MemoryListener[]> = new Map();
  readonly #byPath: Map<string, MemoryListener> = new Map();
  /** Local addresses of connecting sockets, by key. */
  readonly #dialling: Set<string> = new Set();
  readonly #refusing: Set<string> = new Set();
  readonly #blackholed: Set<string> = new Set();
  #nextPort = FIRST_EPHEMERAL;
  #turn = 0;

  addHost(ip: string): void {
    this.#hosts.add(canonicalIp(ip));
  }

  refuse(address: Address): void {
    this.#refusing.add(addressKey(address));
  }

  blackhole(address: Address): void {
    this.#blackholed.add(addressKey(address));
  }

  restore(address: Address): void {
    this.#refusing.delete(addressKey(address));
    this.#blackholed.delete(addressKey(address));
  }

  isBlackholed(address: Address): boolean {
    return named(this.#blackholed, address);
  }

  isHere(ip: string): boolean {
    return isLoopback(ip) || isWildcard(ip) || this.#hosts.has(ip);
  }

  /** Binds a listener; 0 or a negated errno. */
  bind(listener: MemoryListener): number {
    const { wanted } = listener;
    if ('path' in wanted) {
      if (Buffer.byteLength(wanted.path) > MAX_PATH_BYTES) return -Errno.ENAMETOOLONG;
      if (this.#byPath.has(wanted.path)) return -Errno.EADDRINUSE;
      this.#byPath.set(wanted.path, listener);
      listener.bound = { path: wanted.path };
      return 0;
    }
    const ip = canonicalIp(wanted.ip);
    if (!this.isHere(ip)) return -Errno.EADDRNOTAVAIL;
    const port = wanted.port === 0 ? this.#ephemeral(ip) : wanted.port;
    if (port === 0) return -Errno.EADDRINUSE;
    const others = this.#byPort.get(port) ?? [];
    for (const other of others) {
      const shared = other.options.reusePort === true && listener.options.reusePort === true;
      if (!shared && overlaps(other, ip, listener.options.ipv6Only === true)) return -Errno.EADDRINUSE;
    }
    if (this.#dialling.has(addressKey({ ip, port }))) return -Errno.EADDRINUSE;
    this.#byPort.set(port, [...others, listener]);
    listener.bound = { ip, port };
    return 0;
  }

  unbind(listener: MemoryListener): void {
    const { bound } = listener;
    if (bound === null) return;
    if ('path' in bound) this.#byPath.delete(bound.path);
    else {
      const others = (this.#byPort.get(bound.port) ?? []).filter((other) => other !== listener);
      if (others.length === 0) this.#byPort.delete(bound.port);
      else this.#byPort.set(bound.port, others);
    }
  }

  /** Binds a connecting socket: its address, or a negated errno. */
  bindDialler(target: IpAddress, local: IpAddress | undefined): IpAddress | number {
    const to = canonicalIp(target.ip);
    const v4 = isIPv4(to);
    let ip = local === undefined ? '' : canonicalIp(local.ip);
    if (local !== undefined && isIPv4(ip) !== v4) return -Errno.EINVAL;
    if (local !== undefined && !this.isHere(ip)) return -Errno.EADDRNOTAVAIL;
    if (ip === '' || isWildcard(ip)) ip = isLoopback(to) || !this.isHere(to) ? (v4 ? '127.0.0.1' : '::1') : to;
    const port = local === undefined || local.port === 0 ? this.#ephemeral(ip) : local.port;
    if (port === 0) return -Errno.EADDRNOTAVAIL;
    if (this.#isTaken(ip, port)) return -Errno.EADDRINUSE;
    const bound = { ip, port };
    this.#dialling.add(addressKey(bound));
    return bound;
  }

  unbindDialler(local: IpAddress): void {
    this.#dialling.delete(addressKey(local));
  }

  /** Who answers at a canonical target, or why nobody does. */
  find(target: Address): MemoryListener | number {
    if (named(this.#refusing, target)) return -Errno.ECONNREFUSED;
    if ('path' in target) {
      if (Buffer.byteLength(target.path) > MAX_PATH_BYTES) return -Errno.ENAMETOOLONG;
      const abstract = target.path.startsWith('\0');
      return this.#byPath.get(target.path) ?? (abstract ? -Errno.ECONNREFUSED : -Errno.ENOENT);
    }
    if (!this.isHere(target.ip)) return -Errno.ENETUNREACH;
    const all = (this.#byPort.get(target.port) ?? []).filter((listener) => answers(listener, target.ip));
    const exact = all.filter((listener) => (listener.bound as IpAddress).ip === target.ip);
    const best = exact.length > 0 ? exact : all;
    if (best.length === 0) return -Errno.ECONNREFUSED;
    return best[this.#turn++ % best.length] as MemoryListener;
  }

  #isTaken(ip: string, port: number): boolean {
    if (this.#dialling.has(addressKey({ ip, port }))) return true;
    return (this.#byPort.get(port) ?? []).some((listener) => overlaps(listener, ip, false));
  }

  #ephemeral(ip: string): number {
    for (let tried = FIRST_EPHEMERAL; tried <= LAST_EPHEMERAL; tried++) {
      const port = this.#nextPort;
      this.#nextPort = port === LAST_EPHEMERAL ? FIRST_EPHEMERAL : port + 1;
      if (!this.#isTaken(ip, port)) return port;
    }
    return 0;
  }
}

/** Whether a set names the address, or every port of its host (port 0). */
function named(set: ReadonlySet<string>, address: Address): boolean {
  return set.has(addressKey(address)) || ('ip' in address && set.has(addressKey({ ip: address.ip, port: 0 })));
}

/** Whether a connection to `ip` reaches the listener, which is bound to the same port. */
function answers(listener: MemoryListener, ip: string): boolean {
  const bound = (listener.bound as IpAddress).ip;
  if (bound === '::') return !isIPv4(ip) || listener.options.ipv6Only !== true;
  return bound === ip || (bound === '0.0.0.0' && isIPv4(ip));
}

/** Whether binding `ip` to the port of `listener` would claim connections that are its. */
function overlaps(listener: MemoryListener, ip: string, ipv6Only: boolean): boolean {
  const bound = (listener.bound as IpAddress).ip;
  if (answers(listener, ip)) return true;
  if (ip === '0.0.0.0') return isIPv4(bound);
  return ip === '::' && (!isIPv4(bound) || !ipv6Only);
}
