import { isIP } from 'node:net';
import { type Address, argumentRangeError, argumentTypeError, checkAddress, type IpAddress } from 'bufferevent-backend';
import { checkHostTarget, checkObject } from './arguments.js';
import { checkLookupOptions, type LookupOptions } from './lookup.js';

/** A host by name or number. Names are resolved by the base's `lookup`, and every address is tried (EV-8). */
export interface HostTarget extends LookupOptions {
  readonly host: string;
  readonly port: number;
}

/** Addresses of one peer, at least one, tried as those of a name are, in the order given (EV-8). */
export interface AddressesTarget {
  readonly addresses: readonly Address[];
}

export type ConnectTarget = HostTarget | AddressesTarget | Address;

/** @internal Throws `TypeError`/`RangeError` for what is no target, or several at once. A single address is checked by the port. */
export function checkConnectTarget(target: ConnectTarget): void {
  checkObject('target', target);
  checkSingleKind('target', target);
  if (isHostTarget(target) || !('addresses' in target)) {
    checkHostTarget(target, 1);
    checkLookupOptions(target as HostTarget);
    return;
  }
  const { addresses } = target;
  if (!Array.isArray(addresses)) throw argumentTypeError('target.addresses', 'an array', addresses);
  if (addresses.length === 0) throw argumentRangeError('target.addresses', 'a list of at least one', addresses);
  for (const [index, address] of addresses.entries()) {
    const name = `target.addresses[${index}]`;
    checkAddress(name, address);
    checkSingleKind(name, address);
  }
}

const kinds = ['host', 'ip', 'path', 'addresses'] as const;

/** @internal Throws `TypeError` for a target that names several things: it would be a matter of luck which one is meant. */
export function checkSingleKind(name: string, target: object): void {
  const given = kinds.filter((kind) => (target as Partial<Record<string, unknown>>)[kind] !== undefined);
  if (given.length > 1) throw argumentTypeError(name, `of one kind, not ${given.join(' and ')} at once`, target);
}

/** @internal */
export function isHostTarget<Host extends { readonly host: string }>(
  target: Host | AddressesTarget | Address,
): target is Host {
  return 'host' in target && target.host !== undefined;
}

/** @internal The target, looked up only for addresses that can be reached from `localAddress`. */
export function reachableHost(target: HostTarget, localAddress: IpAddress | undefined): HostTarget {
  if (localAddress === undefined) return target;
  const family = isIP(localAddress.ip) as 4 | 6;
  if (target.family === undefined || target.family === 0) return { ...target, family };
  if (target.family !== family) throw argumentRangeError('target.family', 'that of localAddress', target.family);
  return target;
}

/** @internal Those of one family with `localAddress`; all of them when there is none, for the system to say so. */
export function reachableAddresses(
  addresses: readonly Address[],
  localAddress: IpAddress | undefined,
): readonly Address[] {
  if (localAddress === undefined) return addresses;
  const family = isIP(localAddress.ip);
  const reachable = addresses.filter((address) => 'ip' in address && isIP(address.ip) === family);
  return reachable.length > 0 ? reachable : addresses;
}
