import type { Bufferevent } from './bufferevent.js';

export type Direction = 'read' | 'write';

/** Each runs only while its activity is really being tried, and says its name when it fires (TO-1, TO-3). */
export type TimeoutName = 'connect' | 'handshake' | 'read' | 'write' | 'idle' | 'close';

/** What `onEvent` is told, one at a time, after the data that came before it. */
export type BuffereventEvent =
  | { readonly kind: 'connected' }
  /**
   * `read`: the peer ended its side. Reading gets disabled; writing goes on. `write`: a pair's partner has flushed its
   * reading as `finished`; nothing changes.
   */
  | { readonly kind: 'eof'; readonly direction: Direction }
  /**
   * The peer has closed while reading rested: see `SocketBufferevent.watchPeer`. What it sent before is still to be read;
   * reading tells the end.
   */
  | { readonly kind: 'peer-closed' }
  /** At most one in the life of a connection. Without a direction: it could not be made. */
  | { readonly kind: 'error'; readonly direction?: Direction; readonly error: Error }
  /** `read` and `write` disable their direction, which may be enabled again; `connect`, `handshake` and `close` are final. */
  | {
      readonly kind: 'timeout';
      readonly timeout: TimeoutName;
      readonly direction?: Direction;
      readonly error: Error;
    };

/** How a connection ended. */
export type CloseCause =
  /** `end()` finished: all output was sent and both sides have ended. */
  | { readonly kind: 'clean' }
  /** `free()` was called while nothing was wrong. */
  | { readonly kind: 'freed' }
  /** The peer reset the connection or was gone when we wrote (`ECONNRESET`, `EPIPE`, `ECONNABORTED`). */
  | { readonly kind: 'reset'; readonly error: Error }
  | { readonly kind: 'error'; readonly error: Error }
  | { readonly kind: 'timeout'; readonly timeout: TimeoutName; readonly error: Error };

/**
 * What a user wants to hear of. One object may serve any number of connections; per-connection state goes into
 * `bev.context`. Never called inside a call of the user's own.
 */
export interface BuffereventHandlers {
  /** New bytes arrived and `input.length` is at or above the low mark (RD-2). */
  onRead?(bev: Bufferevent): void;
  /** Bytes left and `output.length` is at or below the low mark (WR-2). */
  onWrite?(bev: Bufferevent): void;
  onEvent?(bev: Bufferevent, event: BuffereventEvent): void;
}
