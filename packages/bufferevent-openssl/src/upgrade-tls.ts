import type { Bufferevent, InsertLayerOptions } from 'bufferevent';
import { argumentTypeError } from 'bufferevent-backend';
import {
  type ClientOptions,
  type ContextChoice,
  clientLayer,
  clientOptionNames,
  contextOf,
  layerFor,
} from './connect-tls.js';
import { contextNames, type SslContextOptions } from './context-options.js';
import { checkOptions, layerNames, pickOptions } from './options.js';
import type { Ssl } from './ssl.js';
import type { TlsLayer, TlsLayerOptions } from './tls-layer.js';

export type UpgradeTlsOptions = InsertLayerOptions &
  (
    | (ClientOptions & { readonly isServer?: false })
    | (ContextChoice & Omit<TlsLayerOptions, 'closeOnFree'> & { readonly isServer: true })
  );

const upgradeNames = { isServer: true, surplus: true };
const clientNames = { ...upgradeNames, ...clientOptionNames };
const serverNames = { ...upgradeNames, ...layerNames, ...contextNames, context: true };

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
  checkOptions(options, options?.isServer ? serverNames : clientNames);
  const { isServer = false, surplus } = options;
  if (typeof isServer !== 'boolean') throw argumentTypeError('isServer', 'a boolean', isServer);
  const layer = isServer ? serverLayer(options) : clientLayer(options, undefined);
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

function serverLayer(options: ContextChoice): TlsLayer {
  const { context } = options;
  const contextOptions = pickOptions<SslContextOptions>(options, contextNames);
  const layerOptions = pickOptions<TlsLayerOptions>(options, layerNames);
  return layerFor(contextOf(context, contextOptions), {}, 'accepting', layerOptions, context);
}
