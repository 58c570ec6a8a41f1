import { isIPv4 } from 'node:net';
import type { Address } from '../contract.js';

/** Longest socket path of Linux, without its terminating NUL byte. */
export const MAX_PATH_BYTES = 107;

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;

/** One spelling for each IP address; IPv4 addresses mapped into IPv6 become IPv4. Zones are kept. */
export function canonicalIp(ip: string): string {
  if (isIPv4(ip)) return ip;
  const zoneAt = ip.indexOf('%');
  const zone = zoneAt === -1 ? '' : ip.slice(zoneAt);
  const bare = (zoneAt === -1 ? ip : ip.slice(0, zoneAt)).toLowerCase();
  const mapped = MAPPED.exec(bare);
  if (mapped !== null) return mapped[1] as string;
  return new URL(`http://[${bare}]`).hostname.slice(1, -1) + zone;
}

/** Whether the address names its own host whatever that is called: 127.0.0.0/8 and ::1. */
export function isLoopback(ip: string): boolean {
  return ip === '::1' || (isIPv4(ip) && ip.startsWith('127.'));
}

/** Whether the address stands for every local address of its family. */
export function isWildcard(ip: string): boolean {
  return ip === '0.0.0.0' || ip === '::';
}

/** The text under which the network files an address. */
export function addressKey(address: Address): string {
  return 'path' in address ? `path ${address.path}` : `${canonicalIp(address.ip)} ${address.port}`;
}
