import { constants } from 'node:crypto';
import type { SslContextOptions, TlsVersion } from './context-options.js';

/** What `node:tls` says of itself. */
export interface NodeTlsDefaults {
  readonly DEFAULT_MIN_VERSION: string;
  readonly DEFAULT_MAX_VERSION: string;
  readonly DEFAULT_CIPHERS: string;
}

/**
 * What Node's own contexts are held to by default, where that is not what contexts of this package are: by the flags
 * that the process was started with (`--tls-min-v1.3`, `--tls-cipher-list`, …), or by who has set `tls.DEFAULT_…`.
 */
export function nodeDefaults(
  tls: NodeTlsDefaults = process.getBuiltinModule('node:tls'),
): Pick<SslContextOptions, 'minVersion' | 'maxVersion' | 'ciphers'> {
  const { DEFAULT_MIN_VERSION: min, DEFAULT_MAX_VERSION: max, DEFAULT_CIPHERS: ciphers } = tls;
  return {
    ...(min !== 'TLSv1.2' && { minVersion: min as TlsVersion }),
    ...(max !== 'TLSv1.3' && { maxVersion: max as TlsVersion }),
    ...(ciphers !== constants.defaultCoreCipherList && { ciphers }),
  };
}
