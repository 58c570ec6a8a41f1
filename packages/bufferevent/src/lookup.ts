import { lookup as dnsLookup } from 'node:dns';
import { argumentTypeError } from 'bufferevent-backend';

/** An address that a name stands for. */
export interface LookupAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/**
 * Turns a host name into addresses, in order of preference. Rejects with Node's error (`ENOTFOUND`, …). Numeric hosts
 * are passed too, and answer themselves.
 */
export type Lookup = (host: string, family: 0 | 4 | 6) => Promise<readonly LookupAddress[]>;

/** @internal Asks the base's resolver, without the brackets of an IPv6 host; one that throws, or answers with no list, is one that rejects. */
export async function resolveHost(
  base: { readonly lookup: Lookup },
  host: string,
  family: 0 | 4 | 6,
): Promise<readonly LookupAddress[]> {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  const addresses = await base.lookup(bare, family);
  if (!Array.isArray(addresses)) throw argumentTypeError('addresses', 'an array', addresses);
  return addresses;
}

/** Node's resolver, in the order the system prefers (RFC 6724). */
export const systemLookup: Lookup = (host, family) =>
  new Promise((resolve, reject) => {
    dnsLookup(host, { all: true, family, verbatim: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as LookupAddress[]);
    });
  });
