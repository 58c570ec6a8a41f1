import type { IpAddress } from 'bufferevent-backend';

/** Puts together what `node:net` tells in separate fields; `null` when it tells nothing. */
export function ipAddress(ip: string | undefined, port: number | undefined): IpAddress | null {
  return ip === undefined || port === undefined ? null : { ip, port };
}
