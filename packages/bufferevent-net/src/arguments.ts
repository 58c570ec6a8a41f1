import { isIP } from 'node:net';
import { type Address, argumentTypeError, checkInteger, type IpAddress } from 'bufferevent-backend';

/** Throws unless `address` is numeric or a path (C14). */
export function checkAddress(name: string, address: Address): void {
  if (typeof address !== 'object' || address === null || (!('ip' in address) && !('path' in address))) {
    throw argumentTypeError(name, 'an { ip, port } or a { path }', address);
  }
  if (!('path' in address)) return checkIpAddress(name, address);
  const { path } = address;
  if (typeof path !== 'string' || path === '' || path.includes('\0', 1)) {
    throw argumentTypeError(`${name}.path`, 'a non-empty string without NUL bytes after the first place', path);
  }
}

/** Throws unless `address` is a numeric address with a port (C14). */
export function checkIpAddress(name: string, address: IpAddress): void {
  if (typeof address !== 'object' || address === null || typeof address.ip !== 'string' || isIP(address.ip) === 0) {
    throw argumentTypeError(`${name}.ip`, 'a numeric IPv4 or IPv6 address', address?.ip);
  }
  checkInteger(`${name}.port`, address.port, 0, 65_535);
}

/** Puts together what `node:net` tells in separate fields; `null` when it tells nothing. */
export function ipAddress(ip: string | undefined, port: number | undefined): IpAddress | null {
  return ip === undefined || port === undefined ? null : { ip, port };
}
