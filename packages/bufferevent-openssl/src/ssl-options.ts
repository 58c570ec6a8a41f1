import { isIP } from 'node:net';
import { argumentRangeError, argumentTypeError, checkInteger, type OptionNames } from 'bufferevent-backend';
import { type AlpnProtocols, encodeAlpn } from './alpn.js';
import type { SslId } from './binding-contract.js';
import { OpensslError, type OpensslErrorCode } from './errors.js';
import { native } from './native.js';
import { checkOptions } from './options.js';
import type { Ssl } from './ssl.js';
import { type SslContext, verifyMode } from './ssl-context.js';

export interface SslOptions {
  /** Clients: the host name to ask for (SNI). No numeric address, and no dot at the end: RFC 6066 does not allow them. */
  readonly servername?: string;
  /**
   * Clients: whom the certificate of the server has to name, a host or a numeric address; checked by OpenSSL. Default
   * `servername`. `null`: anybody the context trusts will do, which is hardly ever what is wanted.
   */
  readonly verifyName?: string | null;
  /** Clients: a session to resume, from `onSession` or `session` of an earlier connection to the same server. Copied. */
  readonly session?: Uint8Array;
  /** Clients: ask for an OCSP response, see {@link Ssl.ocspResponse}. Default false. */
  readonly requestOcsp?: boolean;
  /** Instead of that of the context. Copied. */
  readonly ALPNProtocols?: AlpnProtocols;
  /** The descriptor that an `OpensslBufferevent.socket(base, -1, ssl, …)` is to take. */
  readonly descriptor?: number;
  /** See {@link Ssl.onSession}. */
  readonly onSession?: SessionFunction;
}

/** Gets a session that can be resumed: DER of OpenSSL's `SSL_SESSION`, to be kept as secret as what was sent. */
export type SessionFunction = (session: Uint8Array, ssl: Ssl) => void;

const optionNames: OptionNames<SslOptions> = {
  servername: true,
  verifyName: true,
  session: true,
  requestOcsp: true,
  ALPNProtocols: true,
  descriptor: true,
  onSession: true,
};

/** Throws `TypeError` and `RangeError` for what is none of {@link SslOptions}. */
export function checkSslOptions(options: SslOptions): void {
  checkOptions(options, optionNames);
  const { servername, verifyName, session, requestOcsp, ALPNProtocols, descriptor, onSession } = options;
  if (servername !== undefined) checkHostName('options.servername', servername);
  if (verifyName !== undefined && verifyName !== null && (typeof verifyName !== 'string' || isIP(verifyName) === 0)) {
    checkHostName('options.verifyName', verifyName);
  }
  if (session !== undefined && !(session instanceof Uint8Array)) {
    throw argumentTypeError('options.session', 'a Uint8Array', session);
  }
  if (requestOcsp !== undefined && typeof requestOcsp !== 'boolean') {
    throw argumentTypeError('options.requestOcsp', 'a boolean', requestOcsp);
  }
  if (ALPNProtocols !== undefined) encodeAlpn('options.ALPNProtocols', ALPNProtocols);
  if (descriptor !== undefined) checkInteger('options.descriptor', descriptor, 0, 2 ** 31 - 1);
  if (onSession !== undefined && typeof onSession !== 'function') {
    throw argumentTypeError('options.onSession', 'a function', onSession);
  }
}

/** A copy of checked options, and of the bytes in them, which are their owner's to write over. */
export function ownSslOptions(options: SslOptions): SslOptions {
  const { session, ALPNProtocols } = options;
  return {
    ...options,
    ...(session !== undefined && { session: new Uint8Array(session) }),
    ...(ALPNProtocols !== undefined && {
      ALPNProtocols: new Uint8Array(encodeAlpn('options.ALPNProtocols', ALPNProtocols)),
    }),
  };
}

/** With a dot in front OpenSSL would take the name of any host of that domain. */
export function checkHostName(name: string, value: unknown): void {
  if (typeof value !== 'string') throw argumentTypeError(name, 'a host name', value);
  const isName = value.length <= 255 && /^[\x21-\x2d\x2f-\x7e][\x21-\x7e]*$/.test(value) && isIP(value) === 0;
  if (isName) return;
  throw argumentRangeError(
    name,
    'a host name in ASCII, of at most 255 characters, no address, and without a dot in front',
    value,
  );
}

/** Throws where the context and the options do not do for a server, or for a client. */
export function checkSide(isServer: boolean, context: SslContext, { servername, verifyName }: SslOptions): void {
  if (isServer) {
    if (context.canServe) return;
    // No client could agree on anything, and would be told of a missing cipher.
    const lacking = 'a server needs a context with a certificate, a pre-shared key, or onClientHello';
    throw new OpensslError('ERR_OPENSSL_CERTIFICATE', lacking);
  }
  if (servername !== undefined || verifyName !== undefined || !context.policy.rejectUnauthorized) return;
  // A certificate that anybody could have got for a name of his own proves nothing; `verify` may say no more of it.
  throw argumentTypeError('options.verifyName', 'given, or servername: whom the certificate has to name', undefined);
}

/**
 * Puts the options into a new connection of the addon. `refusal` makes the error of what OpenSSL does not take, which is
 * thrown.
 */
export function applySslOptions(
  id: SslId,
  isServer: boolean,
  { policy }: SslContext,
  options: SslOptions,
  refusal: (code: OpensslErrorCode, what: string) => OpensslError,
): void {
  const addon = native();
  const demand = (taken: boolean, option: keyof SslOptions): void => {
    if (!taken) throw refusal('ERR_OPENSSL_SETTING', `OpenSSL refuses the option ${option}`);
  };
  const { servername, verifyName = servername, session, requestOcsp, ALPNProtocols } = options;
  if (ALPNProtocols !== undefined) {
    demand(addon.sslSetAlpn(id, encodeAlpn('options.ALPNProtocols', ALPNProtocols)), 'ALPNProtocols');
  }
  if (isServer) {
    if (policy.onClientHello !== null) addon.sslSuspendAtHello(id);
    return;
  }
  addon.sslSetVerify(id, verifyMode(policy, false));
  if (servername !== undefined) demand(addon.sslSetServername(id, servername), 'servername');
  if (verifyName !== undefined && verifyName !== null) demand(addon.sslSetVerifyName(id, verifyName), 'verifyName');
  if (requestOcsp === true) demand(addon.sslRequestOcsp(id), 'requestOcsp');
  if (session !== undefined && !addon.sslSetSession(id, session)) {
    throw refusal('ERR_OPENSSL_SESSION', 'the session can not be resumed');
  }
}
