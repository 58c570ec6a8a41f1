// Calls that take the options of several things in one object: which name belongs to which. Each belongs to one of them, or to
// nobody, and then it is refused: a misspelt name must not leave a connection less secure than was meant.
import type { AddressesTarget, ConnectOptions, HostTarget, ListenOptions, PathAddress } from 'bufferevent';
import { argumentTypeError, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import type { ClientOptions } from './connect-tls.js';
import type { SslContextOptions } from './context-options.js';
import type { TlsLayerOptions } from './tls-layer.js';

export const targetNames: OptionNames<HostTarget & AddressesTarget & PathAddress & { ip: string }> = {
  host: true,
  port: true,
  family: true,
  hints: true,
  ip: true,
  path: true,
  addresses: true,
};

export const layerNames: OptionNames<TlsLayerOptions, 'closeOnFree'> = {
  allowDirtyShutdown: true,
  batchWrites: true,
  handshakeMs: true,
};

export const clientNames: OptionNames<ClientOptions, keyof SslContextOptions | keyof TlsLayerOptions> = {
  context: true,
  servername: true,
  verifyName: true,
  session: true,
  onSession: true,
  requestOcsp: true,
};

export const connectNames: OptionNames<ConnectOptions, 'layers'> = {
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

export const listenNames: OptionNames<ListenOptions> = {
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

/** Those of `options` that are among `names`. */
export function pickOptions<Options>(options: object, names: object): Options {
  const picked = Object.entries(options).filter(([name]) => Object.hasOwn(names, name));
  return Object.fromEntries(picked) as Options;
}

/** Throws `TypeError` for what is no object, `RangeError` for an option that is not among `names`. */
export function checkOptions(options: object, names: object): void {
  if (typeof options !== 'object' || options === null) throw argumentTypeError('options', 'an object', options);
  checkOptionNames('options', options, names);
}
