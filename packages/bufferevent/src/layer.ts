/**
 * The seam for everything that sits between a connection's bytes and its user: filters, compression, TLS. Types only; a
 * layer is bytes in, bytes out, and never sees the connection. `LayerStack` drives it.
 */
import type { Evbuffer } from 'evbuffer';
import type { EventBase } from './event-base.js';

/**
 * What a call is for. `normal`: as convenient. `flush`: hold nothing back. `finished`: hold nothing back, and nothing
 * more will come.
 */
export type FlushMode = 'normal' | 'flush' | 'finished';

/**
 * How far a call has come. `ok`: something was done; it is called again while there is room, until it answers
 * `need-more`, also with an empty source after it has added bytes. `need-more`: nothing can be done with what is there;
 * what was left in the source is offered again with what comes next (FI-1).
 * `pending`: work goes on elsewhere; {@link LayerHost.wake} asks to be called again, in the same mode when it is a flush.
 */
export type LayerResult = 'ok' | 'need-more' | 'pending';

/** What a layer may use of the connection it is on. */
export interface LayerHost {
  /** Clock and turn of the connection, for time-outs of the layer's own. */
  readonly base: EventBase;
  /** Bytes for the peer's layer of the same kind; may be added to in every call of the layer, and before {@link wake}. */
  readonly toPeer: Evbuffer;
  /** Whether nothing more comes from below. Mode `finished` of `decode` says so too, but also comes of a user's `flush()`. */
  readonly incomingEnded: boolean;
  /** Asks for the layer to be called again, in this turn or the next: `pending` work is done, or `toPeer` has grown. */
  wake(): void;
  /** Gives the connection up, with one `error` event. */
  fail(error: Error): void;
}

/**
 * One layer of one connection. All calls come from the turn of its event base or from `flush()`, never from inside one
 * another, and never after {@link free}. A layer takes bytes from the front of `source` (what it leaves stays there) and
 * adds at the back of `target`; it keeps neither buffer. One that is called in mode `flush` or `finished` and answers
 * `pending` remembers the mode: it is woken in mode `normal`. What it throws ends the direction with an `error` event (FI-2);
 * what it has put into `toPeer` before still leaves, until the connection is freed. Calls are synchronous: an answer that is
 * not in their signature, such as the promise of an `async` function, is a `TypeError` that ends the direction as well.
 *
 *      user ── output ─► encode ─► toPeer ─► (layer below, or the transport)
 *      user ◄─ input ◄── decode ◄────────── (layer below, or the transport)
 */
export interface Layer {
  /** Short, for `inspect` and messages: `tls`, `gzip`, `filter`. */
  readonly name: string;
  /** How long the handshake may take, in milliseconds; 0 for no limit. Default `limits.handshakeMs`. */
  readonly handshakeMs?: number;
  /**
   * Whether the layer has to hear from its peer although the user may want no payload, in a handshake of its own after the
   * first one for instance. Bytes are read then whatever is enabled, and `decode` is called with the limit 0 where there is
   * no room above: it adds nothing to `target` then, and is called again when there is room. {@link LayerHost.wake} after
   * it has changed outside a call.
   */
  readonly wantsInput?: boolean;
  /** First of all calls, when the layer is inserted. What it throws leaves `insertLayer`, and nothing was inserted. */
  attach?(host: LayerHost): void;
  /**
   * Called from the moment the connection below is open until it answers `done`; bytes of the user wait meanwhile. A
   * layer without one is open at once.
   */
  handshake?(source: Evbuffer): 'done' | 'need-more' | 'pending';
  /**
   * Turns bytes of the peer into bytes for the user. `limit` is the room above in bytes: a layer may exceed it by what
   * it can't cut (a record), and is called again when there is room. `end`: the peer has ended this layer; nothing is
   * decoded any more. Mode `finished`: nothing is to be held back; where {@link LayerHost.incomingEnded}, a layer that can
   * tell that bytes are missing throws.
   */
  decode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult | 'end';
  /** Turns bytes of the user into bytes for the peer. `limit` is the room below, `Infinity` except in mode `normal`. */
  encode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult;
  /** Our side ends: everything was encoded, in mode `finished`. Adds the layer's end marker, if it has one. */
  end?(target: Evbuffer): void;
  /**
   * The connection goes on over another transport (`setDescriptor`): back to before the first handshake. What the layer has
   * decoded or encoded before is not its business any more. A connection with a layer that has no such call refuses. What
   * it throws leaves `setDescriptor`, and the connection has failed.
   */
  renew?(): void;
  /** The connection lets go of the layer. Called once. */
  free?(): void;
}
