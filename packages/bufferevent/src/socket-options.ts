import { checkIpAddress, checkOptionNames, type IpAddress, type OptionNames } from 'bufferevent-backend';
import { checkBoolean, checkInteger, checkObject } from './arguments.js';
import { BuffereventError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { BuffereventHandlers } from './events.js';
import { type InitialStreamOptions, StreamSettings, streamOptionNames } from './stream-options.js';

export interface SocketBuffereventOptions {
  /** An open, connected descriptor to take over, where `backend.supports.descriptors`. */
  readonly descriptor?: number;
  /** Close the descriptor when freed (the default), or leave it open, where `backend.supports.descriptors` (FR-4). */
  readonly closeOnFree?: boolean;
  readonly handlers?: BuffereventHandlers;
}

/** The stream options are set when connected, before anything is sent. */
export interface SocketConnectOptions extends InitialStreamOptions {
  /** The numeric address to connect from. Only addresses of its family are looked up and tried. */
  readonly localAddress?: IpAddress;
}

const socketNames: OptionNames<SocketBuffereventOptions> = { descriptor: true, closeOnFree: true, handlers: true };

/** @internal */
export const socketConnectNames: OptionNames<SocketConnectOptions> = { ...streamOptionNames, localAddress: true };

/** @internal Throws for what are no options, and for those that the backend does not offer. */
export function checkSocketOptions(base: EventBase, options: SocketBuffereventOptions): void {
  checkObject('options', options);
  checkOptionNames('options', options, socketNames);
  const { closeOnFree = true, descriptor } = options;
  checkBoolean('closeOnFree', options.closeOnFree);
  if (descriptor !== undefined) checkInteger('descriptor', descriptor, 0);
  if (!closeOnFree || descriptor !== undefined) demandDescriptors(base);
}

/** @internal The stream options among them. Throws as {@link checkSocketOptions}. */
export function connectSettings(base: EventBase, options: SocketConnectOptions): StreamSettings | null {
  checkObject('options', options);
  checkOptionNames('options', options, socketConnectNames);
  const { localAddress } = options;
  if (localAddress !== undefined) checkIpAddress('localAddress', localAddress);
  return StreamSettings.of(base, options);
}

/** @internal Throws over a backend without descriptors. */
export function demandDescriptors(base: EventBase): void {
  if (base.backend.supports.descriptors) return;
  throw new BuffereventError(
    'ERR_BUFFEREVENT_UNSUPPORTED',
    `backend ${base.backend.name} does not give access to descriptors`,
  );
}
