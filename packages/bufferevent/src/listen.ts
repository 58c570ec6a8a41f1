import type { Address } from 'bufferevent-backend';
import { listenForAbort } from './abort.js';
import { checkHostTarget, checkSignal } from './arguments.js';
import { checkBase, EventBase } from './event-base.js';
import { checkListenerArguments, Listener, type ListenerOptions, type ListenHandlers } from './listener.js';
import { resolveHost } from './lookup.js';

/** Where to listen: a host by name or number with a port (0: any free one), a numeric address, or a socket path. */
export type ListenTarget = { readonly host: string; readonly port: number } | Address;

export interface ListenOptions extends ListenerOptions {
  /** Default: {@link EventBase.default}. */
  readonly base?: EventBase;
  /** Closes the listener when it aborts, or gives up listening. */
  readonly signal?: AbortSignal;
}

/**
 * Listens, and resolves when connections can come in. Handlers run in the asynchronous context of this call.
 *
 * Rejects with the system's error (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOTFOUND`, …) or the signal's reason;
 * throws `TypeError`/`RangeError` for malformed arguments. A name stands for the first of its addresses.
 */
export function listen(target: ListenTarget, handlers: ListenHandlers, options: ListenOptions = {}): Promise<Listener> {
  const { base = EventBase.default, signal, ...listenerOptions } = options;
  checkBase(base);
  checkSignal(signal);
  checkHostTarget(target, 0);
  checkListenerArguments(handlers, listenerOptions);
  if (signal?.aborted) return Promise.reject(signal.reason);
  const context = base.captureContext();
  const start = async (address: Address): Promise<Listener> => {
    signal?.throwIfAborted();
    const listener = new Listener(base, address, handlers, context, listenerOptions);
    const stopListening = listenForAbort(signal, () => void listener.close());
    try {
      await listener.ready;
    } catch (error) {
      stopListening();
      throw signal?.aborted ? signal.reason : error;
    }
    return listener;
  };
  if (!('host' in target)) return start(target);
  return resolveHost(base, target.host, 0).then(([first]) =>
    start({ ip: first?.address ?? target.host, port: target.port }),
  );
}
