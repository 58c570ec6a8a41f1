import { argumentTypeError, surface } from 'bufferevent-backend';
import { Evbuffer } from 'evbuffer';
import { checkObject, checkSignal } from '../arguments.js';
import type { Bufferevent } from '../bufferevent.js';
import { BuffereventError } from '../errors.js';
import { Pull, type PullOptions, unexpectedEnd } from '../pull.js';
import type { MessageCodec } from './message-codec.js';

/**
 * Waits for a message and takes it, in line with `read()` and `readLine()` and under the same rules: reading goes on while
 * somebody waits, the high mark of the input makes room for one message, bytes behind it stay in `input`.
 *
 * @returns `null` at a clean end. Rejects with what `codec.decode` throws (the bytes stay in `input`),
 *   `ERR_BUFFEREVENT_UNEXPECTED_END` when the end comes inside a message, the failure of the connection, or the reason of
 *   `signal`
 */
export function readMessage<Received>(
  bev: Bufferevent,
  codec: MessageCodec<Received, never>,
  options: PullOptions = {},
): Promise<Received | null> {
  checkCodec(codec);
  checkObject('options', options);
  checkSignal(options.signal);
  return bev.pull(new MessagePull(codec), options.signal);
}

/**
 * All messages, until the end. Reads only while the loop waits, so a slow loop slows the peer down; leaving the loop
 * closes nothing. Throws as {@link readMessage} rejects.
 */
export async function* messages<Received>(
  bev: Bufferevent,
  codec: MessageCodec<Received, never>,
  options: PullOptions = {},
): AsyncGenerator<Received, void, undefined> {
  for (;;) {
    const message = await readMessage(bev, codec, options);
    if (message === null) return;
    yield message;
  }
}

/**
 * Queues one message. What the codec does with the message's memory it says itself.
 *
 * @returns whether more is welcome, as `bev.write()`
 * @throws as `bev.write()`, and what `codec.encode` throws; nothing was queued then. A freed connection and one whose
 *   output has ended leave the message as it is; what was moved out of it before another refusal is given back to its owners
 */
export function writeMessage<Sent>(bev: Bufferevent, codec: MessageCodec<unknown, Sent>, message: Sent): boolean {
  checkCodec(codec);
  bev.checkWritable();
  const encoded = new Evbuffer();
  try {
    codec.encode(message, encoded);
    return bev.write(encoded);
  } catch (error) {
    release(encoded);
    throw error;
  }
}

/** A release callback of the user's that throws surfaces by itself: the caller hears of the refusal. */
function release(buffer: Evbuffer): void {
  try {
    buffer[Symbol.dispose]();
  } catch (error) {
    surface(error);
  }
}

class MessagePull<Received> extends Pull<Received | null> {
  readonly #codec: MessageCodec<Received, never>;

  constructor(codec: MessageCodec<Received, never>) {
    super();
    this.#codec = codec;
  }

  get need(): number {
    return this.#codec.maxEncodedBytes;
  }

  serve(input: Evbuffer, ended: boolean): boolean {
    let message: Received | null;
    try {
      message = this.#codec.decode(input);
    } catch (error) {
      return this.reject(error);
    }
    if (message !== null) return this.resolve(message);
    if (input.length >= this.need) {
      const text = `no whole message within ${this.need} bytes`;
      return this.reject(new BuffereventError('ERR_BUFFEREVENT_READ_LIMIT', text));
    }
    if (!ended) return false;
    return input.length === 0
      ? this.resolve(null)
      : this.reject(unexpectedEnd(`${input.length} bytes of an incomplete message`));
  }
}

function checkCodec(codec: MessageCodec<unknown, never>): void {
  const { maxEncodedBytes, decode, encode } = (codec ?? {}) as Partial<MessageCodec<unknown>>;
  const isCodec = typeof maxEncodedBytes === 'number' && typeof decode === 'function' && typeof encode === 'function';
  if (!isCodec) throw argumentTypeError('codec', 'a MessageCodec', codec);
}
