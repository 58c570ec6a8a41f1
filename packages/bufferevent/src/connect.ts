import { checkOptionNames, type OptionNames } from 'bufferevent-backend';
import { listenForAbort } from './abort.js';
import { checkDirections, checkObject, checkSignal } from './arguments.js';
import { type ConnectTarget, checkConnectTarget } from './connect-target.js';
import { checkBase, EventBase } from './event-base.js';
import type { BuffereventHandlers, Direction } from './events.js';
import type { Layer } from './layer.js';
import { enableDirections } from './listener.js';
import { SocketBufferevent } from './socket-bufferevent.js';
import { type SocketConnectOptions, socketConnectNames } from './socket-options.js';
import type { TimeoutOptions } from './timeouts.js';

export interface ConnectOptions extends SocketConnectOptions {
  /** Default: {@link EventBase.default}. */
  readonly base?: EventBase;
  /** Gives up connecting: rejects with `signal.reason`, nothing is left open. Without effect once connected. */
  readonly signal?: AbortSignal;
  /** What to enable. Default: writing, and reading when there is an `onRead`. */
  readonly enable?: readonly Direction[];
  /** Set before connecting, so that `connectMs` counts. */
  readonly timeouts?: TimeoutOptions;
  /** Put under the connection before it is made, from the transport up: it is connected when they are open. */
  readonly layers?: readonly Layer[];
}

const optionNames: OptionNames<ConnectOptions> = {
  ...socketConnectNames,
  base: true,
  signal: true,
  enable: true,
  timeouts: true,
  layers: true,
};

/**
 * Connects, trying every address of a name (RFC 8305), and resolves with the connection. The handlers get a `connected`
 * event first; they run in the asynchronous context of this call.
 *
 * Rejects with Node's error (`ECONNREFUSED`, `ETIMEDOUT`, `ENOTFOUND`, …; for several addresses an `AggregateError`
 * with the fields of the first), that of a layer's handshake, or the signal's reason; the handlers hear nothing then.
 * Also with `ERR_BUFFEREVENT_CLOSED` when the base is disposed of meanwhile, and `ERR_BUFFEREVENT_FREED` when a handler
 * frees the connection. Throws `TypeError`/`RangeError` for malformed arguments, and for options that there are not.
 */
export function connect(
  target: ConnectTarget,
  handlers?: BuffereventHandlers,
  options: ConnectOptions = {},
): Promise<SocketBufferevent> {
  checkObject('options', options);
  checkOptionNames('options', options, optionNames);
  const { base = EventBase.default, signal, enable, timeouts, layers = [], ...connectOptions } = options;
  checkBase(base);
  checkSignal(signal);
  checkConnectTarget(target);
  checkDirections(enable);
  if (signal?.aborted) return Promise.reject(signal.reason);
  const bev = new SocketBufferevent(base, handlers === undefined ? {} : { handlers });
  if (timeouts !== undefined) bev.setTimeouts(timeouts);
  enableDirections(bev, handlers, enable);
  try {
    for (const layer of layers) void bev.insertLayer(layer);
    bev.connect(target, connectOptions);
  } catch (error) {
    bev.free();
    throw error;
  }
  return new Promise<SocketBufferevent>((resolve, reject) => {
    const stopListening = listenForAbort(signal, () => {
      // Freeing tells an outcome, too: the reason comes first.
      reject(signal?.reason);
      bev.free();
    });
    SocketBufferevent.onConnectOutcome(bev, (error) => {
      stopListening();
      if (error === null) resolve(bev);
      else {
        bev.free();
        reject(error);
      }
    });
  });
}
