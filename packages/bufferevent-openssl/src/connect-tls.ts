import { isIP } from 'node:net';
import {
  type BuffereventHandlers,
  type ConnectOptions,
  type ConnectTarget,
  connect,
  type SocketBufferevent,
} from 'bufferevent';
import { argumentTypeError, checkIpAddress, type IpAddress } from 'bufferevent-backend';
import { contextNames, type SslContextOptions } from './context-options.js';
import { defaultTrust } from './default-trust.js';
import { checkOptions, clientNames, connectNames, layerNames, pickOptions, targetNames } from './options.js';
import { Ssl } from './ssl.js';
import { SslContext } from './ssl-context.js';
import { checkHostName, type SessionFunction, type SslOptions } from './ssl-options.js';
import { TlsLayer, type TlsLayerOptions, type TlsState } from './tls-layer.js';

/** Of whom a context is made: one that is there, or the options of one, but not both. */
export interface ContextChoice extends SslContextOptions {
  readonly context?: SslContext;
}

/** What a client says of itself and of whom it wants to reach; as the options of an `Ssl`. */
export interface ClientOptions extends ContextChoice, Omit<TlsLayerOptions, 'closeOnFree'> {
  /**
   * The name that is asked for (SNI) and that the certificate has to have. Numeric addresses are verified but not asked
   * for, since SNI has no place for them (RFC 6066 §3), nor for the dot at the end of an absolute name, which is left out
   * here and in `verifyName`. Default: the host that is connected to.
   */
  readonly servername?: string;
  /** The name that the certificate has to have, when it is not `servername`; with `null` its names are not looked at. */
  readonly verifyName?: string | null;
  /** A session that an earlier connection gave, to be resumed. */
  readonly session?: Uint8Array;
  /** Told of each session that can be resumed later. */
  readonly onSession?: SessionFunction;
  /** Ask for a stapled OCSP response. */
  readonly requestOcsp?: boolean;
}

/** Where to, how to connect, and how to speak TLS, in one object. */
export type ConnectTlsOptions = ConnectTarget & ClientOptions & Omit<ConnectOptions, 'layers'>;

/** @internal Every name of {@link ClientOptions}. */
export const clientOptionNames = { ...clientNames, ...layerNames, ...contextNames };

const optionNames = { ...targetNames, ...connectNames, ...clientOptionNames };

/**
 * Connects and makes the handshake of TLS; resolves when the connection is secure: the peer verified, by its name, and
 * the keys agreed upon. The handlers get a `connected` event first. `getSsl(bev)` tells what was agreed upon.
 *
 * Without a `context`, one is made of the options; when there are none for it, all such calls share one.
 *
 * Rejects as `connect()` does, with `ERR_OPENSSL_VERIFY` for a peer that is not who it should be, and
 * `ERR_OPENSSL_HANDSHAKE` for one that does not speak such TLS. Throws `TypeError`/`RangeError` for malformed arguments, and what the
 * constructor of `SslContext` throws.
 */
export function connectTls(options: ConnectTlsOptions, handlers?: BuffereventHandlers): Promise<SocketBufferevent> {
  checkOptions(options, optionNames);
  const target = pickOptions<ConnectTarget>(options, targetNames);
  const connectOptions = pickOptions<ConnectOptions>(options, connectNames);
  const host = 'host' in target ? bareHost(target.host) : 'ip' in target ? addressOf(target) : undefined;
  const layer = clientLayer(options, host);
  try {
    const connected = connect(target, handlers, { ...connectOptions, layers: [layer] });
    // Where it never came to be the connection's.
    connected.catch(() => layer.free());
    return connected;
  } catch (error) {
    layer.free();
    throw error;
  }
}

/** Throws for what `connect()` would refuse: by its own name, and not by that of what is made of it. */
function addressOf(target: IpAddress): string {
  checkIpAddress('target', target);
  return target.ip;
}

function bareHost(host: string): string {
  return typeof host === 'string' && host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** Names in certificates have no dot at the end, and addresses no zone (`%eth0`), which means something on one machine only. */
function inCertificates<Name extends string | null | undefined>(name: Name): Name | string {
  if (typeof name !== 'string') return name;
  if (isIP(name) !== 0) return name.replace(/%.*/, '');
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** @internal The layer of a client that wants to reach `host`, or did not say whom. */
export function clientLayer(options: ClientOptions, host: string | undefined): TlsLayer {
  const { context: given, servername: asked = host, verifyName: named = asked } = options;
  const { session, onSession, requestOcsp } = options;
  const [servername, verifyName] = [inCertificates(asked), inCertificates(named)];
  // What the user has not given is not to blame.
  if (options.servername === undefined && servername !== undefined && isIP(servername) === 0) {
    checkHostName('options.host', servername);
  }
  const contextOptions = pickOptions<SslContextOptions>(options, contextNames);
  const context = contextOf(given, contextOptions);
  const sslOptions: SslOptions = {
    ...(servername !== undefined && isIP(servername) === 0 && { servername }),
    ...(verifyName !== undefined && { verifyName }),
    ...(session !== undefined && { session }),
    ...(onSession !== undefined && { onSession }),
    ...(requestOcsp !== undefined && { requestOcsp }),
  };
  const layerOptions = pickOptions<TlsLayerOptions>(options, layerNames);
  return layerFor(context, sslOptions, 'connecting', layerOptions, given);
}

/** @internal A layer over a new `Ssl`, to be freed with it; the context too, unless it was `given` or is shared. */
export function layerFor(
  context: SslContext,
  sslOptions: SslOptions,
  state: TlsState,
  options: TlsLayerOptions,
  given: SslContext | undefined,
): TlsLayer {
  const owned = context !== given && context !== plainContext;
  try {
    const layer = new TlsLayer(new Ssl(context, sslOptions), state, options);
    if (owned) layer.ownContext(context);
    return layer;
  } catch (error) {
    if (owned) context.free();
    throw error;
  }
}

/** For clients that say nothing of how to speak TLS, who can free it; and whom it trusts. */
let plainContext: SslContext | null = null;
let plainTrust: Uint8Array | null = null;

/** @internal One that is given, or one that is made of options. Throws `TypeError` for both. */
export function contextOf(given: SslContext | undefined, options: SslContextOptions): SslContext {
  const names = Object.keys(options);
  if (given !== undefined) {
    if (!(given instanceof SslContext)) throw argumentTypeError('context', 'an SslContext', given);
    if (names.length > 0) throw argumentTypeError(`options.${names[0]}`, 'left out beside a context', 'one');
    return given;
  }
  if (names.length > 0) return new SslContext(options);
  const trust = defaultTrust();
  if (plainContext === null || plainContext.isFreed || plainTrust !== trust) plainContext = new SslContext();
  plainTrust = trust;
  return plainContext;
}
