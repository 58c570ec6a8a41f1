import { type Address, checkAddress, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import { listenForAbort } from './abort.js';
import { checkBoolean, checkHostTarget, checkObject, checkSignal } from './arguments.js';
import { checkSingleKind, type HostTarget, isHostTarget } from './connect-target.js';
import { withResolvers } from './deferred-promise.js';
import { disposedError } from './errors.js';
import { checkBase, EventBase } from './event-base.js';
import {
  checkListenerArguments,
  Listener,
  type ListenerOptions,
  type ListenHandlers,
  listenerOptionNames,
} from './listener.js';
import { checkLookupOptions, resolveHost } from './lookup.js';
import { unlinkStaleSocket } from './stale-socket.js';

/** Where to listen: a host by name or number with a port (0: any free one), a numeric address, or a socket path. */
export type ListenTarget = HostTarget | Address;

export interface ListenOptions extends ListenerOptions {
  /** Default: {@link EventBase.default}. */
  readonly base?: EventBase;
  /**
   * Before listening on a path, unlink what stands there if it is a socket that refuses connections: what a process
   * that has crashed leaves behind. Never anything else. Default false: `EADDRINUSE`.
   *
   * A server that is about to listen on the same path at the same moment may lose its socket file: such servers need a
   * lock of their own.
   */
  readonly unlinkStale?: boolean;
  /** Closes the listener when it aborts, or gives up listening. */
  readonly signal?: AbortSignal;
}

const optionNames: OptionNames<ListenOptions> = { ...listenerOptionNames, base: true, unlinkStale: true, signal: true };

/**
 * Listens, and resolves when connections can come in. Handlers run in the asynchronous context of this call.
 *
 * Rejects with the system's error (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOTFOUND`, …) or the signal's reason;
 * throws `TypeError`/`RangeError` for malformed arguments, among them options that such an address can't have, or that there are not, and
 * `ERR_BUFFEREVENT_UNSUPPORTED` for options that the backend can't. A name stands for the first of its addresses.
 */
export function listen(target: ListenTarget, handlers: ListenHandlers, options: ListenOptions = {}): Promise<Listener> {
  checkObject('options', options);
  checkOptionNames('options', options, optionNames);
  const { base = EventBase.default, signal, unlinkStale, ...listenerOptions } = options;
  checkBase(base);
  checkSignal(signal);
  checkHostTarget(target, 0);
  checkSingleKind('target', target);
  checkBoolean('unlinkStale', unlinkStale);
  if (isHostTarget(target)) checkLookupOptions(target);
  else checkAddress('target', target);
  checkListenerArguments(base, target, handlers, listenerOptions);
  if (signal?.aborted) return Promise.reject(signal.reason);
  const context = base.captureContext();
  const start = (address: Address): Promise<Listener> => {
    // It may have aborted since what came before was over, when nobody listened for that.
    if (signal?.aborted) return Promise.reject(signal.reason);
    return ready(new Listener(base, address, handlers, context, listenerOptions), signal);
  };
  if (isHostTarget(target)) {
    return unlessGivenUp(() => resolveHost(base, target), base, signal).then(([first]) =>
      start({ ip: first?.address ?? target.host, port: target.port }),
    );
  }
  if (unlinkStale !== true || !('path' in target)) return start(target);
  return unlessGivenUp(() => unlinkStaleSocket(base, target, signal), base, signal).then(() => start(target));
}

/** Resolves with the listener when it is bound. It closes when the signal aborts, whenever that is. */
async function ready(listener: Listener, signal: AbortSignal | undefined): Promise<Listener> {
  const stopListening = listenForAbort(signal, () => void listener.close());
  void listener.gone.then(stopListening);
  try {
    await listener.ready;
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
  return listener;
}

/** The outcome of what `start` begins, unless the signal aborts or the base is disposed of before. */
function unlessGivenUp<Value>(
  start: () => Promise<Value>,
  base: EventBase,
  signal: AbortSignal | undefined,
): Promise<Value> {
  const { promise: outcome, resolve, reject } = withResolvers<Value>();
  const member = { place: -1, abandon: () => reject(disposedError()) };
  base.enter(member);
  const stopListening = listenForAbort(signal, () => reject(signal?.reason));
  const over = () => {
    base.leave(member);
    stopListening();
  };
  void start().then(resolve, reject).then(over);
  return outcome;
}
