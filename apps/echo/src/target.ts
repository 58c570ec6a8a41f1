import type { Address } from 'bufferevent';

/** Where to listen or connect: a Unix-domain socket when there is a path, TCP otherwise. */
export interface TargetOptions {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
}

export function targetOf({ host, port, path }: TargetOptions): { host: string; port: number } | { path: string } {
  return path === undefined ? { host, port } : { path };
}

/** `127.0.0.1:7007`, `[::1]:7007`, or a path. */
export function formatTarget(target: Address | { readonly host: string; readonly port: number }): string {
  if ('path' in target) return target.path;
  const host = 'ip' in target ? target.ip : target.host;
  return host.includes(':') ? `[${host}]:${target.port}` : `${host}:${target.port}`;
}
