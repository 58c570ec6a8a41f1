import { surface } from 'bufferevent-backend';
import { Evbuffer, type EvbufferChange, type EvbufferWatch } from 'evbuffer';

/** The buffer out of which a message is being taken. */
let taking: Evbuffer | null = null;

/**
 * @internal The buffer of an input side. What its watchers throw leaves the call that made the change, as from any
 * buffer, except while {@link takeWhole} takes a message: it would take the message's place.
 */
export class InputBuffer extends Evbuffer {
  override watch(callback: (buffer: Evbuffer, change: EvbufferChange) => void): EvbufferWatch {
    if (typeof callback !== 'function') return super.watch(callback);
    return super.watch((buffer, change) => {
      try {
        callback(buffer, change);
      } catch (error) {
        if (taking !== buffer) throw error;
        surface(error);
      }
    });
  }
}

/** @internal What `take` takes off the front of `input`; exceptions of the input's watchers surface by themselves. */
export function takeWhole<Value>(input: Evbuffer, take: (input: Evbuffer) => Value): Value {
  const outer = taking;
  taking = input;
  try {
    return take(input);
  } finally {
    taking = outer;
  }
}
