import {
  type Bufferevent,
  type BuffereventHandlers,
  type CloseCause,
  type EventBase,
  FilterBufferevent,
  SocketBufferevent,
} from 'bufferevent';
import { argumentTypeError } from 'bufferevent-backend';
import { OpensslError, type OpensslErrorEntry } from './errors.js';
import type { Ssl } from './ssl.js';
import { TlsLayer, type TlsLayerOptions, type TlsState, truncatedError } from './tls-layer.js';

export interface OpensslOptions extends TlsLayerOptions {
  /** Free the `Ssl` and what is below with the bufferevent (the default), or leave both to their user (M5). */
  readonly closeOnFree?: boolean;
  readonly handlers?: BuffereventHandlers;
}

/** What bufferevents with TLS have beside what all have. */
interface OpensslMembers {
  readonly ssl: Ssl;
  /** Whether an end without the peer's `close_notify` is an end, not an error (TL-8). May be changed any time. */
  allowDirtyShutdown: boolean;
  /** Whether what is written is gathered into whole records (TL-17). May be changed any time. */
  batchWrites: boolean;
}

/** TLS over another bufferevent; see {@link OpensslBufferevent.filter}. */
export class OpensslFilterBufferevent extends FilterBufferevent implements OpensslMembers {
  declare readonly ssl: Ssl;
  declare allowDirtyShutdown: boolean;
  declare batchWrites: boolean;

  /** @internal */
  constructor(underlying: Bufferevent, ssl: Ssl, state: TlsState, options: OpensslOptions) {
    const { handlers, ...layerOptions } = options;
    const { closeOnFree } = layerOptions;
    super(underlying, {
      layer: new TlsLayer(ssl, state, layerOptions),
      ...(closeOnFree !== undefined && { closeOnFree }),
      ...(handlers !== undefined && { handlers }),
    });
  }

  static {
    shareMembers(OpensslFilterBufferevent.prototype);
  }
}

/** TLS on a socket; see {@link OpensslBufferevent.socket}. */
export class OpensslSocketBufferevent extends SocketBufferevent implements OpensslMembers {
  declare readonly ssl: Ssl;
  declare allowDirtyShutdown: boolean;
  declare batchWrites: boolean;

  /** @internal */
  constructor(base: EventBase, descriptor: number, ssl: Ssl, state: TlsState, options: OpensslOptions) {
    const { handlers, ...layerOptions } = options;
    const { closeOnFree } = layerOptions;
    const layer = new TlsLayer(ssl, state, layerOptions);
    // Before the descriptor is taken over, which could not be given back at once.
    layer.claim();
    try {
      super(base, {
        ...(descriptor >= 0 && { descriptor }),
        ...(closeOnFree !== undefined && { closeOnFree }),
        ...(handlers !== undefined && { handlers }),
      });
    } catch (error) {
      layer.disclaim();
      throw error;
    }
    void this.insertLayer(layer);
  }

  static {
    shareMembers(OpensslSocketBufferevent.prototype);
  }
}

/** The members that both kinds have, taken from their layer. */
function shareMembers(prototype: OpensslMembers & Bufferevent): void {
  Object.defineProperties(prototype, {
    ssl: {
      get(this: Bufferevent): Ssl {
        return ownLayer(this).ssl;
      },
    },
    allowDirtyShutdown: {
      get(this: Bufferevent): boolean {
        return ownLayer(this).allowDirtyShutdown;
      },
      set(this: Bufferevent, allowed: boolean) {
        if (typeof allowed !== 'boolean') throw argumentTypeError('allowDirtyShutdown', 'a boolean', allowed);
        ownLayer(this).allowDirtyShutdown = allowed;
      },
    },
    batchWrites: {
      get(this: Bufferevent): boolean {
        return ownLayer(this).batchWrites;
      },
      set(this: Bufferevent, batch: boolean) {
        if (typeof batch !== 'boolean') throw argumentTypeError('batchWrites', 'a boolean', batch);
        ownLayer(this).batchWrites = batch;
      },
    },
  });
}

/** The one that the bufferevent was made with, whatever was inserted on top of it. */
function ownLayer(bev: Bufferevent): TlsLayer {
  return bev.layers[0] as TlsLayer;
}

export type OpensslBufferevent = OpensslFilterBufferevent | OpensslSocketBufferevent;

/**
 * Bufferevents that speak TLS, from an `Ssl` and its state: with `connecting` or `accepting` the handshake begins when
 * the connection is there, whatever is enabled (TL-1); its end is a `connected` event, its failure an `error`, without
 * a direction unless it is one of the transport. With `open` it was done before, elsewhere, by the same `Ssl` (TL-3: what was written before is sent then).
 *
 * Both throw `TypeError` and `RangeError` for malformed arguments, `ERR_OPENSSL_STATE` for an `Ssl` that does not suit the state or is in
 * use elsewhere, `ERR_OPENSSL_FREED`, and what the bufferevent's own constructor throws; nothing was taken over then.
 */
export const OpensslBufferevent: {
  /** Over any bufferevent (M3). Its bytes are the filter's from now on; events of the one below are the filter's. */
  filter(underlying: Bufferevent, ssl: Ssl, state: TlsState, options?: OpensslOptions): OpensslFilterBufferevent;
  /**
   * On a socket of the base (M6). `descriptor`: open and connected, taken over; −1 for `ssl.descriptor` when it has one, or
   * for one that comes later, by `connect()` or `setDescriptor()`. Two different descriptors are a `TypeError`.
   */
  socket(
    base: EventBase,
    descriptor: number,
    ssl: Ssl,
    state: TlsState,
    options?: OpensslOptions,
  ): OpensslSocketBufferevent;
} = {
  filter(underlying, ssl, state, options = {}) {
    return new OpensslFilterBufferevent(underlying, ssl, state, options);
  },

  socket(base, descriptor, ssl, state, options = {}) {
    if (!Number.isSafeInteger(descriptor) || descriptor < -1) {
      throw argumentTypeError('descriptor', 'a descriptor, or -1', descriptor);
    }
    const own = ssl?.descriptor ?? -1;
    if (descriptor >= 0 && own >= 0 && descriptor !== own) {
      throw argumentTypeError('descriptor', `-1 or ${own}, the one of the Ssl`, descriptor);
    }
    return new OpensslSocketBufferevent(base, descriptor >= 0 ? descriptor : own, ssl, state, options);
  },
};

function layerOf(bev: Bufferevent): TlsLayer | null {
  if (!Array.isArray(bev?.layers)) throw argumentTypeError('bev', 'a Bufferevent', bev);
  return bev.layers.findLast((layer) => layer instanceof TlsLayer) ?? null;
}

function tlsLayerOf(bev: Bufferevent): TlsLayer {
  const layer = layerOf(bev);
  if (layer === null) throw argumentTypeError('bev', 'a Bufferevent with TLS', bev);
  return layer;
}

/** The `Ssl` of a connection, also of one that was upgraded; `null` when it does not speak TLS (M7). */
export function getSsl(bev: Bufferevent): Ssl | null {
  return layerOf(bev)?.ssl ?? null;
}

/**
 * The first pending error of OpenSSL on a connection, oldest first, as `ERR_get_error()` gives it; it is taken. 0 when
 * there is none, or no TLS (M8, TL-15).
 */
export function getOpensslError(bev: Bufferevent): number {
  return layerOf(bev)?.ssl.takeError() ?? 0;
}

/** All pending errors of OpenSSL on a connection, oldest first. They stay (TL-15). */
export function getOpensslErrors(bev: Bufferevent): readonly OpensslErrorEntry[] {
  return layerOf(bev)?.ssl.errors ?? [];
}

/**
 * Asks the peer for a new handshake on the connection (TLS 1.2 and below), which most peers refuse. When it is done there
 * is one more `connected` event; payload may pass meanwhile or wait. It goes on whatever is enabled (TL-1), unless more than
 * 64 KiB of payload that nobody wants come before its end. (M9, TL-14)
 *
 * The peer is judged again, also when it was the peer that asked; `verify` of the context has to answer at once then.
 *
 * An advanced feature that is hardly ever wanted: see `docs/tls-security.md` for its history.
 *
 * @throws OpensslError `ERR_OPENSSL_UNSUPPORTED` with TLS 1.3, which has `ssl.updateKeys()` instead; `ERR_OPENSSL_STATE`
 *   while a handshake is under way, and once either side has said its end; `ERR_OPENSSL_RENEGOTIATION` when OpenSSL refuses. `TypeError` without TLS
 */
export function renegotiate(bev: Bufferevent): void {
  const layer = tlsLayerOf(bev);
  if (bev.freed) throw new OpensslError('ERR_OPENSSL_FREED', 'the connection was freed');
  layer.renegotiate(() => {
    if (!bev.freed) bev.triggerEvent({ kind: 'connected' });
  });
}

/** How a connection with TLS ended: as {@link CloseCause}, with truncation told apart from other failures. */
export type TlsOutcome =
  | CloseCause
  /** The transport has ended without the peer's `close_notify`: the peer was careless, or somebody cut the stream. */
  | { readonly kind: 'truncated'; readonly error: OpensslError };

/**
 * How a connection ended, as `bev.closed`, with one outcome more: `clean`, when both sides have said their end in TLS,
 * `truncated`, also where `allowDirtyShutdown` made it no error and all went well afterwards, `reset`; or else a failure, a
 * time-out, `free()`. Rejects with `TypeError` for a connection without TLS, and never else.
 */
export async function tlsOutcome(bev: Bufferevent): Promise<TlsOutcome> {
  const layer = tlsLayerOf(bev);
  const cause = await bev.closed;
  if (cause.kind === 'error' && cause.error instanceof OpensslError && cause.error.code === 'ERR_OPENSSL_TRUNCATED') {
    return { kind: 'truncated', error: cause.error };
  }
  if (!layer.truncated || cause.kind !== 'clean') return cause;
  return { kind: 'truncated', error: truncatedError() };
}
