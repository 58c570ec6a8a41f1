import { isIP, isIPv4 } from 'node:net';
import type { Address, IpAddress } from '../contract.js';
import { argumentRangeError, argumentTypeError } from '../errors.js';

/** Longest socket path of Linux, without its terminating NUL byte. */
export const MAX_PATH_BYTES = 107;

/** Throws `TypeError`/`RangeError` unless `address` is a numeric address or a path (C14). */
export function checkAddress(name: string, address: Address): void {
  if (typeof address !== 'object' || address === null || (!('ip' in address) && !('path' in address))) {
    throw argumentTypeError(name, 'an { ip, port } or a { path }', address);
  }
  if ('path' in address) {
    const { path } = address;
    if (typeof path !== 'string' || path === '' || path.indexOf('\0', 1) !== -1) {
      throw argumentTypeError(`${name}.path`, 'a non-empty string without NUL bytes after the first place', path);
    }
    return;
  }
  checkIpAddress(name, address);
}

/** As {@link checkAddress}, for the places where no path may stand. */
export function checkIpAddress(name: string, address: IpAddress): void {
  if (typeof address !== 'object' || address === null || typeof address.ip !== 'string' || isIP(address.ip) === 0) {
    throw argumentTypeError(`${name}.ip`, 'a numeric IPv4 or IPv6 address', address?.ip);
  }
  const { port } = address;
  if (typeof port !== 'number') throw argumentTypeError(`${name}.port`, 'a number', port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw argumentRangeError(`${name}.port`, 'an integer from 0 to 65535', port);
  }
}

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
