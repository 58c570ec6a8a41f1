import type { Credentials } from './credentials.js';
import type { Digest } from './payload.js';

export const versions = ['TLSv1.2', 'TLSv1.3'] as const;
export type Version = (typeof versions)[number];

/** What both ends of a conversation have agreed upon before. */
export interface Settings {
  readonly version: Version;
  /** Each way. */
  readonly bytes: number;
  /** One after the other; all but the first resume the session of the one before. */
  readonly connections: number;
  /** The only application protocol on offer at either end, or `null` for none. */
  readonly alpn: string | null;
  /** The server wants a certificate of the client, who has one. */
  readonly clientCertificate: boolean;
  readonly credentials: Credentials;
}

/** `clean`: the peer's close_notify came. `truncated`: its connection ended without. `reset`: it was reset. */
export type End = 'clean' | 'truncated' | 'reset';

/** What one end knows of one connection; `null` where it has no means to tell. */
export interface Report {
  readonly protocol: string | null;
  /** Empty for none. */
  readonly alpn: string | null;
  readonly isResumed: boolean | null;
  /** The common name of the peer's certificate, which was verified; empty for none. */
  readonly peerName: string | null;
  readonly sent: Digest | null;
  readonly received: Digest | null;
  readonly end: End | null;
}

export const nothingKnown: Report = {
  protocol: null,
  alpn: null,
  isResumed: null,
  peerName: null,
  sent: null,
  received: null,
  end: null,
};
