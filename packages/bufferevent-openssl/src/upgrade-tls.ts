import type { Bufferevent, InsertLayerOptions } from 'bufferevent';
import { argumentTypeError } from 'bufferevent-backend';
import {
  type ClientOptions,
  type ContextChoice,
  clientLayer,
  contextOf,
  layerFor,
  part,
  partClient,
} from './connect-tls.js';
import { isContextOption } from './context-options.js';
import type { Ssl } from './ssl.js';
import { checkTlsLayerOptions, type TlsLayer, type TlsLayerOptions } from './tls-layer.js';

export type UpgradeTlsOptions = InsertLayerOptions &
  (
    | (ClientOptions & { readonly isServer?: false })
    | (ContextChoice & Omit<TlsLayerOptions, 'closeOnFree'> & { readonly isServer: true })
  );

/**
 * Goes on under TLS on a connection that is in use (STARTTLS): what was written before leaves as it is, all that is written
 * and arrives from now on is TLS. The object, its handlers, marks, limits and time-outs stay. A server calls it when it
 * has written its consent, a client when it has read it. The end of the handshake is a `connected` event, its failure
 * an `error` without a direction.
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
  if (typeof options !== 'object' || options === null) throw argumentTypeError('options', 'an object', options);
  const { isServer = false, surplus, ...rest } = options;
  if (typeof isServer !== 'boolean') throw argumentTypeError('isServer', 'a boolean', isServer);
  const layer = isServer ? serverLayer(rest) : clientLayerOf(rest);
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

function clientLayerOf(options: object): TlsLayer {
  const { client, others } = partClient(options);
  refuseOthers(others);
  return clientLayer(client, undefined);
}

/** @internal The layer of a server, of a context or its options. */
export function serverLayer(options: ContextChoice & TlsLayerOptions): TlsLayer {
  const [contextOptions, { context, allowDirtyShutdown, batchWrites, handshakeMs, ...others }] = part(
    options,
    isContextOption,
  ) as [object, ContextChoice & TlsLayerOptions];
  refuseOthers(others);
  checkTlsLayerOptions(options);
  return layerFor(contextOf(context, contextOptions), {}, 'accepting', options, context);
}

function refuseOthers(others: object): void {
  const [name] = Object.keys(others);
  if (name !== undefined) throw argumentTypeError(`options.${name}`, 'left out: there is no such option', 'one');
}
