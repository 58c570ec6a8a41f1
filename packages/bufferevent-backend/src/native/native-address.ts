import type { Address } from '../contract.js';

/** An address as a binding takes it: an IP and its port, or a path and −1. */
export function toNativeAddress(address: Address): [where: string, number: number] {
  return 'path' in address ? [address.path, -1] : [address.ip, address.port];
}

export function fromNativeAddress(address: readonly [where: string, port: number] | null): Address | null {
  if (address === null) return null;
  const [where, port] = address;
  return port < 0 ? { path: where } : { ip: where, port };
}
