import type { Bufferevent, InsertLayerOptions } from 'bufferevent';
import { argumentTypeError } from 'bufferevent-backend';
import {
  type ClientOptions,
  type ContextChoice,
  clientLayer,
  contextOf,
  layerFor,
  takeClientOptions,
} from './connect-tls.js';
import { isContextOption, type SslContextOptions } from './context-options.js';
import { layerNames, ownOptions, refuseOptions, takeOptions } from './options.js';
import type { Ssl } from './ssl.js';
import type { SslContext } from './ssl-context.js';
import type { TlsLayer, TlsLayerOptions } from './tls-layer.js';

export type UpgradeTlsOptions = InsertLayerOptions &
  (
    | (ClientOptions & { readonly isServer?: false })
    | (ContextChoice & Omit<TlsLayerOptions, 'closeOnFree'> & { readonly isServer: true })
  );

/**
 * Goes on under TLS on a connection that is in use (STARTTLS): what was written before leaves as it is, all that is written
 * and arrives from now on is TLS. The object, its handlers, marks, limits and time-outs stay. A server calls it when it
 * has written its consent, a client when it has read it. The end of the handshake is a `connected` event, its failure
 * an `error`, without a direction unless it is one of the transport.
 *
 * Bytes that have arrived already and were not taken are refused: an attacker who sends plaintext behind the command
 * to upgrade would have it taken for part of the secure session (CVE-2011-0411). `surplus: 'decode'` gives them to TLS,
 * for peers who begin the handshake without waiting for the consent.
 *
 * @returns a promise of the `Ssl` when the connection is secure; nobody has to look at it
 * @throws what `bev.insertLayer()` throws, `ERR_BUFFEREVENT_SURPLUS_INPUT` among it; `TypeError`/`RangeError` for malformed arguments, and what the
 *   constructor of `SslContext` throws. Nothing has changed then
 */
export function upgradeToTls(bev: Bufferevent, options: UpgradeTlsOptions): Promise<Ssl> {
  if (typeof bev?.insertLayer !== 'function') throw argumentTypeError('bev', 'a Bufferevent', bev);
  const { isServer = false, surplus, ...left } = ownOptions(options) as UpgradeTlsOptions;
  if (typeof isServer !== 'boolean') throw argumentTypeError('isServer', 'a boolean', isServer);
  const layer = isServer ? serverLayer(left) : clientLayer(takeAll(left, takeClientOptions), undefined);
  let opened: Promise<void>;
  try {
    opened = bev.insertLayer(layer, surplus === undefined ? {} : { surplus });
  } catch (error) {
    layer.free();
    throw error;
  }
  const secure = opened.then(() => layer.ssl);
  // Nobody has to wait for it: a failure is an event too.
  secure.catch(() => {});
  return secure;
}

function serverLayer(options: object): TlsLayer {
  const { context, ...rest } = takeAll(options, (left) => ({
    contextOptions: takeOptions<SslContextOptions>(left, isContextOption),
    layerOptions: takeOptions<TlsLayerOptions>(left, layerNames),
    context: takeOptions<{ context?: SslContext }>(left, { context: true }).context,
  }));
  return layerFor(contextOf(context, rest.contextOptions), {}, 'accepting', rest.layerOptions, context);
}

/** What `take` takes, which has to be everything. */
function takeAll<Taken>(options: object, take: (left: object) => Taken): Taken {
  const left = { ...options };
  const taken = take(left);
  refuseOptions(left);
  return taken;
}
