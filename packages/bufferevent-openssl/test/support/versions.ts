import { Ssl, SslContext, type SslContextOptions, type TlsState } from '../../src/index.js';
import { pki } from './pki.js';

export type Version = 'TLSv1.2' | 'TLSv1.3';
export const versions: readonly Version[] = ['TLSv1.2', 'TLSv1.3'];

/** The two sides of connections of one version, for all tests of a file. */
export interface Contexts {
  readonly client: SslContext;
  readonly server: SslContext;
}

export function contextsOf(version: Version, server: SslContextOptions = {}, client: SslContextOptions = {}): Contexts {
  const only = { minVersion: version, maxVersion: version };
  return {
    client: new SslContext({ ca: pki.ca.certPem, ...only, ...client }),
    server: new SslContext({ cert: pki.server.chainPem, key: pki.server.keyPem, ...only, ...server }),
  };
}

const made: Map<Version, Contexts> = new Map();

/** Of the server `localhost`, and of a client that wants to reach it. */
export function contexts(version: Version): Contexts {
  const both = made.get(version) ?? contextsOf(version);
  made.set(version, both);
  return both;
}

export function newSsl(version: Version, state: TlsState, { client, server }: Contexts = contexts(version)): Ssl {
  return state === 'accepting' ? new Ssl(server) : new Ssl(client, { servername: 'localhost' });
}
