import { lookup as dnsLookup } from 'node:dns';

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

/** @internal Asks the base's resolver; one that throws is one that rejects. */
export async function resolveHost(
  base: { readonly lookup: Lookup },
  host: string,
  family: 0 | 4 | 6,
): Promise<readonly LookupAddress[]> {
  return await base.lookup(host, family);
}

/** Node's resolver, in the order the system prefers (RFC 6724). */
export const systemLookup: Lookup = (host, family) =>
  new Promise((resolve, reject) => {
    dnsLookup(host, { all: true, family, verbatim: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as LookupAddress[]);
    });
  });
