import { ADDRCONFIG, ALL, lookup as dnsLookup, V4MAPPED } from 'node:dns';
import { argumentRangeError, argumentTypeError } from 'bufferevent-backend';
import { checkInteger } from './arguments.js';

/** An address that a name stands for. */
export interface LookupAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/**
 * Turns a host name into addresses, in order of preference. Rejects with Node's error (`ENOTFOUND`, …). Numeric hosts
 * are passed too, and answer themselves. `family` is 0 for any; `hints` are flags of `node:dns` (`ADDRCONFIG`, …), 0
 * for none.
 */
export type Lookup = (host: string, family: 0 | 4 | 6, hints: number) => Promise<readonly LookupAddress[]>;

/** Why a name has no address: Node's error, or what the `lookup` of the base rejected with. */
export interface LookupError extends Error {
  /** `ENOTFOUND`, `EAI_AGAIN`, … */
  readonly code?: string;
  readonly syscall?: string;
  readonly hostname?: string;
}

/** Which addresses of a name are wanted. */
export interface LookupOptions {
  /** Only addresses of this family; 0 for any, the default. */
  readonly family?: 0 | 4 | 6;
  /** Flags of `node:dns`: `ADDRCONFIG`, `V4MAPPED`, `ALL`. Default none. */
  readonly hints?: number;
}

/** @internal Throws `TypeError`/`RangeError` for what asks for no addresses. */
export function checkLookupOptions({ family, hints }: LookupOptions): void {
  if (family !== undefined && family !== 0 && family !== 4 && family !== 6) {
    throw argumentRangeError('target.family', '0, 4 or 6', family);
  }
  if (hints === undefined) return;
  checkInteger('target.hints', hints, 0);
  const known = ADDRCONFIG | V4MAPPED | ALL;
  if ((hints & known) !== hints) throw argumentRangeError('target.hints', 'flags of node:dns', hints);
}

/** @internal Asks the base's resolver, without the brackets of an IPv6 host; one that throws, or answers with no list of addresses, is one that rejects. */
export async function resolveHost(
  base: { readonly lookup: Lookup },
  { host, family = 0, hints = 0 }: LookupOptions & { readonly host: string },
): Promise<readonly LookupAddress[]> {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  const addresses = await base.lookup(bare, family, hints);
  if (!Array.isArray(addresses)) throw argumentTypeError('addresses', 'an array', addresses);
  for (const entry of addresses as readonly unknown[]) {
    if (typeof (entry as LookupAddress | null | undefined)?.address !== 'string') {
      throw argumentTypeError('addresses', 'an array of { address, family }', entry);
    }
  }
  return family === 0 ? addresses : addresses.filter((address) => address.family === family);
}

/** Node's resolver, in the order the system prefers (RFC 6724). */
export const systemLookup: Lookup = (host, family, hints) =>
  new Promise((resolve, reject) => {
    dnsLookup(host, { all: true, family, hints, verbatim: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as LookupAddress[]);
    });
  });
