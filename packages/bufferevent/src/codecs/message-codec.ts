import type { Evbuffer } from 'evbuffer';

/**
 * How messages of one kind stand in a stream of bytes. Without state, so that one serves any number of connections; use
 * it with `messages`, `readMessage` and `writeMessage`, or on any `Evbuffer`, `bev.input` in `onRead` among them.
 */
export interface MessageCodec<Received, Sent = Received> {
  /** The most bytes that a message takes in the stream, with what surrounds it. */
  readonly maxEncodedBytes: number;
  /** Takes the first message off the front; `null`, with nothing taken, until all of it is there. Throws for what can't be one. */
  decode(source: Evbuffer): Received | null;
  /** Adds a message at the back. Throws for what can't be sent. */
  encode(message: Sent, target: Evbuffer): void;
}
