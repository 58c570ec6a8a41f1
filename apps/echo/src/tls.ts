import { X509Certificate } from 'node:crypto';
import type { SslContext } from 'bufferevent-openssl';

type Openssl = typeof import('bufferevent-openssl');

/** Loaded for `--tls` and never without it: the package is optional. Throws with the reason when it can't be used here. */
export async function loadOpenssl(): Promise<Openssl> {
  let openssl: Openssl;
  try {
    openssl = await import('bufferevent-openssl');
  } catch (cause) {
    throw new Error('--tls needs the package bufferevent-openssl, which could not be loaded', { cause });
  }
  const reason = openssl.unavailabilityReason();
  if (reason !== null) throw new Error(`--tls is not available: ${reason}`);
  return openssl;
}

/** Files are PEM. */
export interface TlsServeOptions {
  readonly tls: boolean;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly requestCert: boolean;
}

export interface TlsClientOptions {
  readonly tls: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  /** As `fingerprint256` of Node's certificates. */
  readonly fingerprint?: string;
  readonly insecure: boolean;
}

/** Throws for options that only make sense with others, so that none of them is ever without effect. */
export function checkTlsServeOptions({ tls, cert, key, ca, requestCert }: TlsServeOptions): void {
  needTls(tls, { '--cert': cert, '--key': key, '--ca': ca, '--request-cert': requestCert || undefined });
  goTogether('--cert', cert, '--key', key);
  goTogether('--request-cert', requestCert || undefined, '--ca', ca);
}

export function checkTlsClientOptions(options: TlsClientOptions, hasHost: boolean): void {
  const { tls, ca, cert, key, servername, fingerprint, insecure } = options;
  const trust = { '--ca': ca, '--fingerprint': fingerprint, '--insecure': insecure || undefined };
  needTls(tls, { ...trust, '--cert': cert, '--key': key, '--servername': servername });
  goTogether('--cert', cert, '--key', key);
  const chosen = given(trust);
  if (chosen.length > 1) throw new Error(`${chosen.join(' and ')} exclude each other`);
  if (tls && !hasHost && servername === undefined && fingerprint === undefined && !insecure) {
    throw new Error('--tls with --path needs --servername: the name that the certificate has to have');
  }
}

function given(options: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(options).filter((name) => options[name] !== undefined);
}

function needTls(tls: boolean, options: Readonly<Record<string, unknown>>): void {
  const [name] = given(options);
  if (!tls && name !== undefined) throw new Error(`${name} needs --tls`);
}

function goTogether(one: string, oneValue: unknown, other: string, otherValue: unknown): void {
  if ((oneValue === undefined) !== (otherValue === undefined)) throw new Error(`${one} and ${other} go together`);
}

/** How a server speaks TLS. */
export interface ServerTls {
  readonly context: SslContext;
  /** SHA-256 of the certificate that was made for this run; `null` for one from a file, which its clients know. */
  readonly fingerprint: string | null;
}

/** Reads the files, or makes a certificate for `host` and the names of this machine. */
export async function serverTls({ cert, key, ca }: TlsServeOptions, host: string): Promise<ServerTls> {
  const { createSelfSignedCertificate, SslContext } = await loadOpenssl();
  const clients = ca === undefined ? {} : { requestCert: true, caFile: ca };
  if (cert !== undefined && key !== undefined) {
    return { context: await SslContext.load({ certFile: cert, keyFile: key, ...clients }), fingerprint: null };
  }
  const names = [...new Set(['localhost', '127.0.0.1', '::1', host])];
  const made = createSelfSignedCertificate({ names });
  const context = await SslContext.load({ ...made, ...clients });
  return { context, fingerprint: new X509Certificate(made.cert).fingerprint256 };
}

/** Whom a client trusts, and who it is. */
export async function clientContext(options: TlsClientOptions): Promise<SslContext> {
  const { SslContext } = await loadOpenssl();
  const { ca, cert, key, fingerprint, insecure } = options;
  return SslContext.load({
    ...(ca !== undefined && { caFile: ca }),
    ...(cert !== undefined && key !== undefined && { certFile: cert, keyFile: key }),
    ...(insecure && { rejectUnauthorized: false }),
    // One certificate and no other, whoever has signed it.
    ...(fingerprint !== undefined && {
      verify(_ssl, { chain }) {
        const shown = chain[0]?.fingerprint256;
        return shown === fingerprint || new Error(`its fingerprint is ${shown}, not ${fingerprint}`);
      },
    }),
  });
}
