// Calls that take the options of several things in one object: which name belongs to which. Each belongs to one of them, or to
// nobody, and then it is refused: a misspelt name must not leave a connection less secure than was meant.
import type { AddressesTarget, ConnectOptions, HostTarget, ListenOptions, PathAddress } from 'bufferevent';
import { argumentTypeError } from 'bufferevent-backend';
import type { ClientOptions } from './connect-tls.js';
import type { SslContextOptions } from './context-options.js';
import type { TlsLayerOptions } from './tls-layer.js';

/** Every name of `Options` that is not one of `Excluded` has to be listed. */
export type Names<Options, Excluded = never> = Readonly<Record<Exclude<keyof Options, Excluded>, true>>;

export const targetNames: Names<HostTarget & AddressesTarget & PathAddress & { ip: string }> = {
  host: true,
  port: true,
  family: true,
  hints: true,
  ip: true,
  path: true,
  addresses: true,
};

export const layerNames: Names<TlsLayerOptions, 'closeOnFree'> = {
  allowDirtyShutdown: true,
  batchWrites: true,
  handshakeMs: true,
};

export const clientNames: Names<ClientOptions, keyof SslContextOptions | keyof TlsLayerOptions> = {
  context: true,
  servername: true,
  verifyName: true,
  session: true,
  onSession: true,
  requestOcsp: true,
};

export const connectNames: Names<ConnectOptions, 'layers'> = {
  base: true,
  signal: true,
  enable: true,
  timeouts: true,
  localAddress: true,
  noDelay: true,
  keepAlive: true,
  recvBufferSize: true,
  sendBufferSize: true,
};

export const listenNames: Names<ListenOptions> = {
  base: true,
  signal: true,
  enable: true,
  unlinkStale: true,
  disabled: true,
  maxConnections: true,
  overflow: true,
  backlog: true,
  ipv6Only: true,
  reusePort: true,
  deferAccept: true,
  mode: true,
  noDelay: true,
  keepAlive: true,
  recvBufferSize: true,
  sendBufferSize: true,
};

/** Moves the options that are meant out of `options`, which the caller owns. */
export function takeOptions<Options>(
  options: object,
  isMeant: ((name: string) => boolean) | Readonly<Record<string, true>>,
): Options {
  const taken: Record<string, unknown> = {};
  const left = options as Record<string, unknown>;
  for (const [name, value] of Object.entries(left)) {
    if (typeof isMeant === 'function' ? !isMeant(name) : !Object.hasOwn(isMeant, name)) continue;
    taken[name] = value;
    delete left[name];
  }
  return taken as Options;
}

/** Throws `TypeError` when somebody is left. */
export function refuseOptions(left: object): void {
  const [name] = Object.keys(left);
  if (name !== undefined) throw unknownOption(left, name);
}

/** Throws `TypeError` unless all options are among those that there are. */
export function refuseUnknown(options: object, names: Readonly<Record<string, true>>): void {
  for (const name of Object.keys(options)) if (!Object.hasOwn(names, name)) throw unknownOption(options, name);
}

function unknownOption(options: object, name: string): TypeError {
  return argumentTypeError(`options.${name}`, 'left out: there is no such option', (options as never)[name]);
}

/** A copy of the options for {@link takeOptions}. Throws `TypeError` for what is no object. */
export function ownOptions(options: object): object {
  if (typeof options !== 'object' || options === null) throw argumentTypeError('options', 'an object', options);
  return { ...options };
}
