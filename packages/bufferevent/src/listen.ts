import { type Address, argumentRangeError, argumentTypeError } from 'bufferevent-backend';
import { listenForAbort } from './abort.js';
import { EventBase } from './event-base.js';
import { Listener, type ListenerOptions, type ListenHandlers } from './listener.js';

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
  checkTarget(target);
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
  return base.lookup(target.host, 0).then(([first]) => start({ ip: first?.address ?? target.host, port: target.port }));
}

function checkTarget(target: ListenTarget): void {
  if (typeof target !== 'object' || target === null) throw argumentTypeError('target', 'an object', target);
  if (!('host' in target)) return;
  if (typeof target.host !== 'string' || target.host === '') {
    throw argumentTypeError('target.host', 'a non-empty string', target.host);
  }
  if (!Number.isInteger(target.port) || target.port < 0 || target.port > 65535) {
    throw argumentRangeError('target.port', 'an integer from 0 to 65535', target.port);
  }
}
