import type { Conversation } from './conversations.js';
import type { Report, Settings } from './settings.js';

/** What is tried of a peer, each with connections of its own. `close`: that it tells a clean end, seen in those of `data`. */
export type Feature = 'data' | 'close' | 'resumption' | 'alpn' | 'clientCertificate';

/** One role of a peer. */
interface Role {
  /** What our end has to say. */
  readonly conversation: Conversation;
  /** On connections that the program makes only to resume them. Default: as on all others. */
  readonly opening?: Conversation;
  /** What the program has no means for, and why not. `close`: it can't tell a clean end; ours can. */
  readonly cannot: Partial<Record<Feature, string>>;
  /** The most bytes each way; for programs that take one line at a time, or a few bytes of it. Default: any number. */
  readonly maxBytes?: number;
  /** Nothing but a request goes to it. */
  readonly onlySends?: boolean;
  /** The application protocol, for those that do not let one choose. */
  readonly alpn?: string;
}

export interface PeerClient extends Role {
  /** Verifies the server as `localhost`. One report a connection; rejects when the program is unhappy. */
  connect(port: number, settings: Settings): Promise<readonly Report[]>;
}

export interface PeerServer extends Role {
  start(settings: Settings): Promise<RunningServer>;
}

export interface RunningServer extends Disposable {
  readonly port: number;
  /** Of servers from which something is fetched: where they have it. */
  readonly path?: string;
  /** Resolves when the agreed number of connections is over; rejects when the program is unhappy. */
  reports(): Promise<readonly Report[]>;
}

/** An implementation of TLS that is not ours, in programs that are started for it. */
export interface Peer {
  /** As in the table. */
  readonly name: string;
  /** The library behind it. */
  readonly library: string;
  /** Programs that have to be there. */
  readonly tools: readonly string[];
  /** Its version; asked only where the tools are. */
  version(): string;
  readonly client?: PeerClient;
  readonly server?: PeerServer;
}
